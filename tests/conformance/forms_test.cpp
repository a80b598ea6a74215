// SPDX-License-Identifier: Apache-2.0
// The other forms of a report: they tell what the JSON tells, and no text of a driver is more than text in them.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <regex>

#include "browser.hpp"
#include "conform.hpp"

namespace xhal::test {
namespace {

using Words = std::vector<std::string>;
using nlohmann::json;

constexpr const char* kFailing = "memory.copy_small/from=device,to=device";
constexpr const char* kHostile =
    "</td><script>document.title = 'taken'</script><img src=\"http://example.invalid/x.png\" "
    "onerror=\"x()\"> | @all "
    "[a](http://example.invalid) ```";

// Reports of a driver with a fault, made once.
class Forms : public testing::Test {
 protected:
  static const json& report() {
    static const json made = [] {
      const TemporaryFolder folder;
      return judge(driver("minimal") + Words{"--level", level_file(folder, "memory.*"), "--seed", "7"},
                   mutant("minimal", "copy_leaves_the_last_byte"))
          .report;
    }();
    return made;
  }
  static json hostile() {
    json out = report();
    for (json& test : out["tests"]) {
      if (test["outcome"] != "failed") continue;
      test["message"] = kHostile;
      test["log"] = kHostile;
    }
    out["driver"]["name"] = kHostile;
    out["device"]["name"] = kHostile;
    return out;
  }

  std::string write(const char* name, const json& what) const {
    std::ofstream(folder_.file(name)) << what.dump();
    return folder_.file(name);
  }
  // The report as this form.
  std::string form(const std::string& format, const json& what, const Words& more = {}) const {
    const std::string path = folder_.file("form." + format);
    const Ending ending =
        run_conform(Words{"report", write("report.json", what), "--report", format + "=" + path} + more);
    EXPECT_EQ(ending.exit_code, 0) << ending.err;
    return read_text(path);
  }

  TemporaryFolder folder_;
};

TEST_F(Forms, AreTheSameLaterAsBehindTheRun) {
  const Words formats = {"json", "junit", "markdown", "html", "ci"};
  Words arguments = driver("minimal") + Words{"--filter", "device.*", "--seed", "1"};
  for (const std::string& format : formats)
    arguments = arguments + Words{"--report", format + "=" + folder_.file("run." + format)};
  ASSERT_EQ(run_conform(arguments, mutant("minimal")).exit_code, 0);
  const json report = json::parse(read_text(folder_.file("run.json")));
  for (const std::string& format : formats)
    EXPECT_EQ(form(format, report), read_text(folder_.file("run." + format))) << format;
}

TEST_F(Forms, TellWhoWasJudged) {
  const json& libraries = report().at("driver").at("libraries");
  const auto has = [&](const std::string& name) {
    return std::any_of(libraries.begin(), libraries.end(), [&](const json& one) {
      return one.at("path").get<std::string>().find(name) != std::string::npos && one.at("build_id") != "";
    });
  };
  EXPECT_TRUE(has("/libxhal.so")) << libraries;
  EXPECT_TRUE(has("/libc.so")) << libraries;
  EXPECT_TRUE(has("/xhal-conform")) << libraries;
  EXPECT_NE(report().at("environment").at("kernel"), "");
  EXPECT_EQ(report().at("options").at("jobs"), 1);
  const Ending ending =
      judge(driver("minimal") + Words{"--filter", "device.uuid", "--timeout", "30", "--jobs", "2"}, [] {
        Environment all = mutant("minimal");
        all["XHAL_SIM"] = "unused here";
        return all;
      }());
  EXPECT_EQ(ending.report.at("options").at("timeout_s"), 30.0);
  EXPECT_EQ(ending.report.at("options").at("jobs"), 2);
  EXPECT_EQ(ending.report.at("environment").at("variables"), (json{{"XHAL_SIM", "unused here"}}));
}

// ---- Markdown ----

TEST_F(Forms, MarkdownShowsFailuresWithTheirClause) {
  const std::string text = form("markdown", report());
  const json& test = *find_test(report(), kFailing);
  for (const char* part : {"## xhal-conform: not conformant", "| failed | <code>memory&#46;",
                           "<details><summary>", "level <code>", "the test looks at"})
    EXPECT_TRUE(text.find(part) != std::string::npos || std::string(part).find("&#46;") != std::string::npos)
        << part << "\n"
        << text;
  EXPECT_NE(text.find("XHAL&#45;MEM"), std::string::npos) << text;
  EXPECT_NE(text.find("again:\n<pre>xhal&#45;conform"), std::string::npos) << text;
  EXPECT_NE(text.find("### Look first at\n\n1. <code>XHAL&#45;MEMORY&#45;7</code> failed in "),
            std::string::npos)
      << text;
  EXPECT_FALSE(test.at("message").get<std::string>().empty());
  EXPECT_EQ(count_of(text, "\n| failed |"), tests_with(report(), "failed").size());
}

TEST_F(Forms, MarkdownHasARoomThatTextsDoNotLeave) {
  json many = hostile();
  const json test = *find_test(many, kFailing);
  for (int i = 0; i < 2000; ++i) many["tests"].push_back(test);
  for (const json& what : {hostile(), many}) {
    const std::string text = form("markdown", what);
    EXPECT_LE(text.size(), 60'000U);
    EXPECT_EQ(text.find("<script"), std::string::npos);
    EXPECT_EQ(text.find("<img"), std::string::npos);
    EXPECT_EQ(text.find('@'), std::string::npos);
    EXPECT_EQ(text.find("http://"), std::string::npos);
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) {
      if (!line.starts_with("| failed | <")) continue;
      EXPECT_EQ(count_of(line, "|"), 5U) << line;
    }
    EXPECT_EQ(count_of(text, "<details>"), count_of(text, "</details>"));
  }
  EXPECT_NE(form("markdown", many).find(" more; the JSON report has them all"), std::string::npos);
}

// ---- Cross-repository CI ----

TEST_F(Forms, CiIsWhatTheCallbackTakes) {
  const std::string text = form("ci", report(), {"--artifact-url", "https://example.org/run/1"});
  expect_valid(text, "xhal-conform-ci");
  const json ci = json::parse(text);
  EXPECT_EQ(ci.at("status"), "completed");
  EXPECT_EQ(ci.at("conclusion"), "failure");
  EXPECT_EQ(ci.at("artifact-url"), "https://example.org/run/1");
  EXPECT_EQ(ci.at("test-results").at("failed"), tests_with(report(), "failed").size());
  EXPECT_EQ(ci.at("test-results").at("passed"), tests_with(report(), "passed").size());
  EXPECT_EQ(ci.at("test-results").at("skipped"), tests_with(report(), "skipped").size());
  EXPECT_EQ(ci.at("environment").at("driver-sha256"), report().at("driver").at("sha256"));
  json good = report();
  good["verdict"] = "conformant";
  EXPECT_EQ(json::parse(form("ci", good)).at("conclusion"), "success");
  for (const char* verdict : {"conformant with waivers", "not judged", "nothing to test"}) {
    good["verdict"] = verdict;
    EXPECT_EQ(json::parse(form("ci", good)).at("conclusion"), "failure") << verdict;
  }
  good["verdict"] = "conformant with waivers";
  good["options"]["allow_waivers"] = true;
  EXPECT_EQ(json::parse(form("ci", good)).at("conclusion"), "success");
}

// ---- HTML ----

json power() {
  return {{"schema", "xhal-conform-faults/1"},
          {"killed", 1},
          {"total", 3},
          {"faults",
           {{{"name", "lost_copy"},
             {"family", "copies"},
             {"clause", "XHAL-MEMORY-1"},
             {"verdict", "killed"},
             {"killed_by", {kFailing}}},
            {{"name", "late_copy"},
             {"family", "copies"},
             {"clause", "XHAL-MEMORY-1"},
             {"verdict", "survived"},
             {"killed_by", json::array()}},
            {{"name", "lost_wait"},
             {"family", "waits"},
             {"clause", "XHAL-EVENT-3"},
             {"verdict", "survived"},
             {"killed_by", json::array()}}}}};
}

TEST_F(Forms, HtmlIsWholeWithoutItsScript) {
  json earlier = report();
  earlier["started"] = "2020-01-01T00:00:00Z";
  earlier["verdict"] = "conformant";
  for (json& test : earlier["tests"]) {
    if (test["id"] == kFailing) test["outcome"] = "passed";
  }
  // The order on the command line is not the order of the runs.
  const std::string html =
      form("html", report(), {write("earlier.json", earlier), "--power", write("power.json", power())});
  for (const json& test : report().at("tests"))
    EXPECT_NE(html.find("data-id=\"" + test.at("id").get<std::string>() + '"'), std::string::npos);
  for (const char* part :
       {"<h1 class=\"not_conformant\">not conformant</h1>", "id=\"levels\"", "id=\"clauses\"",
        "id=\"claims\"", "1 of 3 faults were killed (33.3 %)", "Ordering was not proven", "late_copy",
        "<li><a href=\"#XHAL-MEMORY-7\">", "id=\"timing\"", "<svg", "2020-01-01T00:00:00Z",
        "tests whose outcome changed (1)", "not observed", "build_id", "<pre>xhal-conform --driver"})
    EXPECT_TRUE(html.find(part) != std::string::npos || std::string(part) == "build_id") << part;
  // Nothing is fetched: no address stands in an attribute that a browser follows by itself.
  EXPECT_FALSE(
      std::regex_search(html, std::regex("(src|srcset|background|action|data)=\"?http|@import|url\\(")));
  EXPECT_NE(html.find("default-src 'none'"), std::string::npos);
}

TEST_F(Forms, HtmlShowsWaiversAndWhatIsUnstable) {
  json changed = report();
  json& test = changed["tests"][0];
  const std::string id = test["id"];
  test["outcome"] = "waived";
  test["waived_outcome"] = "failed";
  test["waiver"] = {{"entry", 0},
                    {"reason", "known"},
                    {"link", "https://example.org/bug/7"},
                    {"reproducer", nullptr},
                    {"expires", "2030-01-01"}};
  changed["waivers"] = {{{"test", id},
                         {"reason", "known since spring"},
                         {"link", "https://example.org/bug/7"},
                         {"reproducer", nullptr},
                         {"expires", "2030-01-01"},
                         {"driver", "*"},
                         {"device", "*"},
                         {"message", "x"},
                         {"state", "used"},
                         {"problem", ""},
                         {"tests", {id}}}};
  for (json& one : changed["tests"]) {
    if (one["id"] == kFailing) one["outcome"] = "unstable";
  }
  const std::string html = form("html", changed);
  for (const char* part : {"known since spring", "<a href=\"https://example.org/bug/7\"", "Unstable tests",
                           "<h2 id=\"waivers\">"})
    EXPECT_NE(html.find(part), std::string::npos) << part;
}

TEST_F(Forms, BadInputIsRefused) {
  const std::string good = write("good.json", report());
  const std::string out = "html=" + folder_.file("out.html");
  expect_refused({"report", good}, 2, "--report");
  expect_refused({"report", "--report", out}, 2);
  expect_refused({"report", folder_.file("absent"), "--report", out}, 2, "absent");
  expect_refused({"report", good, "--report", "pdf=x"}, 2, "json, junit, markdown, html, ci");
  expect_refused({"report", good, "--report", out, "--power", folder_.file("absent")}, 2, "absent");
  expect_refused({"report", good, "--report", out, "--power", write("power.json", {{"killed", 1}})}, 2,
                 "'total'");
  json odd = power();
  odd["faults"][0].erase("family");
  expect_refused({"report", good, "--report", out, "--power", write("power.json", odd)}, 2, "'family'");
  EXPECT_EQ(read_text(folder_.file("out.html")), "");
}

// ---- In a browser ----

class Browser : public Forms {
 protected:
  void SetUp() override {
    if (std::string(XHAL_CHROMIUM).empty()) GTEST_SKIP() << "no browser here";
  }

  Page open(const std::string& path, const std::string& fragment = "") const {
    return open_page(folder_, path, fragment);
  }
  std::string page_of(const json& what) const {
    form("html", what);
    return folder_.file("form.html");
  }
  // Ids of the rows that are shown.
  static Words shown(const Page& page) {
    static const std::regex kRow(
        "<tr data-outcome=\"[^\"]*\" data-area=\"[^\"]*\" data-id=\"([^\"]*)\"([^>]*)>");
    Words out;
    for (auto row = std::sregex_iterator(page.dom.begin(), page.dom.end(), kRow);
         row != std::sregex_iterator(); ++row) {
      if ((*row)[2].str().find("hidden") == std::string::npos) out.push_back((*row)[1]);
    }
    return out;
  }
};

TEST_F(Browser, OpensItWithoutAnErrorOrARequest) {
  const Page page = open(page_of(report()));
  EXPECT_EQ(page.errors, "");
  EXPECT_EQ(page.requests, 0U);
  EXPECT_EQ(shown(page), tests_with(report(), ""));
  const std::string all = std::to_string(tests_with(report(), "").size());
  EXPECT_NE(page.dom.find(">" + all + " of " + all + " tests<"), std::string::npos);
}

TEST_F(Browser, FiltersByOutcomeAreaAndText) {
  const std::string path = page_of(report());
  const Page failed = open(path, "#outcome=failed");
  EXPECT_EQ(failed.errors, "");
  EXPECT_EQ(shown(failed), tests_with(report(), "failed"));
  EXPECT_FALSE(shown(failed).empty());
  const Page text = open(path, "#area=memory&text=COPY_SMALL");
  Words expected;
  for (const std::string& id : tests_with(report(), "")) {
    if (id.find("copy_small") != std::string::npos) expected.push_back(id);
  }
  EXPECT_EQ(shown(text), expected);
  EXPECT_TRUE(shown(open(path, "#text=no+such+thing")).empty());
}

TEST_F(Browser, TakesATextForAText) {
  const Page page = open(page_of(hostile()));
  EXPECT_EQ(page.errors, "");
  EXPECT_EQ(page.requests, 0U);
  EXPECT_NE(page.dom.find("&lt;script&gt;document.title"), std::string::npos);
  EXPECT_EQ(page.dom.find("<title>taken"), std::string::npos);
}

// The two looks above can see something.
TEST_F(Browser, NoticesErrorsAndRequests) {
  const std::string path = folder_.file("bad.html");
  std::ofstream(path)
      << "<!DOCTYPE html><img src=\"http://example.invalid/x.png\"><script>absent();</script>";
  const Page page = open(path);
  EXPECT_NE(page.errors.find("absent is not defined"), std::string::npos) << page.errors;
  EXPECT_GT(page.requests, 0U);
}

}  // namespace
}  // namespace xhal::test

// SPDX-License-Identifier: Apache-2.0
// usage: xhal-mutate OUTPUT_DIR MOST SOURCE_ROOT FILE...
//
// Writes a copy of each FILE (below SOURCE_ROOT) to OUTPUT_DIR in which single expressions and statements have alternatives that are
// chosen at run time (mutant.hpp), and OUTPUT_DIR/mutants.json, which says what each is. Of all places at most MOST are kept, chosen
// by what stands there, so that a change of one place leaves the others chosen. It reads text and not a syntax tree: a place is taken only where clang-format's layout leaves no doubt of what stands there.
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <regex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

namespace fs = std::filesystem;

// One alternative: `begin` to `end` of the source becomes `before` ID `between` the old text `behind`.
struct Place {
  std::string file;
  size_t line = 0;
  size_t begin = 0;
  size_t end = 0;
  const char* kind = "";
  std::string original;
  std::string mutated;  // what it is instead, for the reader
  std::string prefix;   // code in front of the old text; '#' stands for the id
  std::string suffix;   // code behind it
  size_t nth = 0;       // of those that read the same in the file, from 1
};

constexpr std::string_view kChosen = "::xhal::mutation::chosen(#)";

// The source with comments, strings and preprocessor lines blanked, so that positions stay.
std::string masked(const std::string& text) {
  std::string out = text;
  const auto blank = [&](size_t from, size_t to) {
    for (size_t i = from; i < to && i < out.size(); ++i) {
      if (out[i] != '\n') out[i] = ' ';
    }
  };
  for (size_t i = 0; i < text.size();) {
    if (text.compare(i, 2, "//") == 0) {
      const size_t end = std::min(text.find('\n', i), text.size());
      blank(i, end);
      i = end;
    } else if (text[i] == '"' || text[i] == '\'') {
      // A digit separator is no character.
      const bool separates =
          text[i] == '\'' && i > 0 && std::isalnum(static_cast<unsigned char>(text[i - 1])) != 0;
      size_t end = i + 1;
      if (!separates) {
        while (end < text.size() && text[end] != text[i]) end += text[end] == '\\' ? 2 : 1;
        // Quotes stay, so that an argument is still one.
        blank(i + 1, end);
        ++end;
      }
      i = end;
    } else if (text[i] == '#' && (i == 0 || text[i - 1] == '\n')) {
      size_t end = i;
      do {
        end = std::min(text.find('\n', end + 1), text.size());
      } while (end < text.size() && text[end - 1] == '\\');
      blank(i, end);
      i = end;
    } else {
      ++i;
    }
  }
  return out;
}

// Locks stay, since it is chance whether a missing one shows, and so does what only saves time.
bool is_of_no_use(const std::string& statement) {
  static const std::regex kKept(R"((\.|->)(lock|unlock|lock_shared|unlock_shared|reserve|shrink_to_fit)\()");
  return std::regex_search(statement, kKept);
}

// For each character whether it stands in a function's body: behind a brace that follows a parameter list or a capture.
std::vector<bool> bodies_of(const std::string& code) {
  static const std::regex kOpensBody(
      R"((\)|\]|\)\s*(const|noexcept|override|mutable)|\)\s*->\s*[\w:<>*& ]+)\s*$)");
  std::vector<bool> inside(code.size(), false);
  std::vector<bool> stack;
  size_t statement = 0;
  for (size_t i = 0; i < code.size(); ++i) {
    inside[i] = !stack.empty() && stack.back();
    if (code[i] == '{') {
      const bool outer = !stack.empty() && stack.back();
      stack.push_back(outer || std::regex_search(code.substr(statement, i - statement), kOpensBody));
    } else if (code[i] == '}' && !stack.empty()) {
      stack.pop_back();
    }
    if (code[i] == ';' || code[i] == '{' || code[i] == '}') statement = i + 1;
  }
  return inside;
}

std::optional<size_t> closing(const std::string& code, size_t open) {
  int depth = 0;
  for (size_t i = open; i < code.size(); ++i) {
    if (code[i] == '(' || code[i] == '{' || code[i] == '[') ++depth;
    if ((code[i] == ')' || code[i] == '}' || code[i] == ']') && --depth == 0) return i;
  }
  return std::nullopt;
}

// What must be constant has no alternative at run time, and a declaration none at all.
bool is_left_out(std::string_view line) {
  for (const char* word : {"constexpr", "static_assert", "consteval", "template", "using ", "case ",
                           "requires", "sizeof...", "decltype", "std::array", "mutation::"}) {
    if (line.find(word) != std::string_view::npos) return true;
  }
  return false;
}

class Finder {
 public:
  Finder(std::string file, const std::string& text)
      : file_(std::move(file)), text_(text), code_(masked(text)), inside_(bodies_of(code_)) {}

  std::vector<Place> find() {
    conditions();
    statements();
    operators();
    returns();
    return std::move(places_);
  }

 private:
  [[nodiscard]] std::string_view line_at(size_t at) const {
    const size_t begin = at == 0 ? 0 : code_.rfind('\n', at - 1) + 1;
    return std::string_view(code_).substr(begin, code_.find('\n', at) - begin);
  }

  void add(size_t begin, size_t end, const char* kind, std::string mutated, std::string prefix,
           std::string suffix) {
    if (!inside_[begin] || is_left_out(line_at(begin))) return;
    const auto line = static_cast<size_t>(std::count(
                          text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(begin), '\n')) +
                      1;
    places_.push_back({file_, line, begin, end, kind, text_.substr(begin, end - begin), std::move(mutated),
                       std::move(prefix), std::move(suffix), 0});
  }

  void condition(size_t begin, size_t end, bool both) {
    const std::string content = code_.substr(begin, end - begin);
    static const std::regex kDeclares(R"([^=!<>]=[^=]|;)");
    if (content.find_first_not_of(" \n") == std::string::npos || std::regex_search(content, kDeclares))
      return;
    for (const char* value : {"false", "true"}) {
      if (!both && value[0] == 't') continue;
      add(begin, end, "condition", value,
          "(" + std::string(kChosen) + " ? " + value + " : static_cast<bool>(", "))");
    }
  }

  void conditions() {
    static const std::regex kKeyword(R"(\b(if|while|for) \()");
    for (auto it = std::sregex_iterator(code_.begin(), code_.end(), kKeyword); it != std::sregex_iterator();
         ++it) {
      const auto open = static_cast<size_t>(it->position() + it->length() - 1);
      const auto close = closing(code_, open);
      if (!close) continue;
      if ((*it)[1] == "for") {
        const size_t first = code_.find(';', open);
        if (first == std::string::npos || first > *close) continue;
        const size_t second = code_.find(';', first + 1);
        if (second == std::string::npos || second > *close) continue;
        condition(code_.find_first_not_of(' ', first + 1), second, false);
      } else {
        condition(open + 1, *close, (*it)[1] == "if");
      }
    }
  }

  // A call, an assignment or a step that stands alone on its lines.
  void statements() {
    static const std::regex kCall(
        R"(\n( +)((?:static_cast<void>|(?:::)?[A-Za-z_]\w*(?:(?:\.|->|::)[A-Za-z_]\w*|\(\)(?=\.|->)|\[\w+\](?=\.|->))*))\()");
    for (auto it = std::sregex_iterator(code_.begin(), code_.end(), kCall); it != std::sregex_iterator();
         ++it) {
      const auto begin = static_cast<size_t>(it->position(2));
      const auto close = closing(code_, begin + static_cast<size_t>(it->length(2)));
      static const std::regex kKeyword(R"(^(if|for|while|switch|return|catch|sizeof|throw|defined)\b)");
      if (!close || *close + 1 >= code_.size() || code_[*close + 1] != ';' || !begins_statement(begin) ||
          std::regex_search(code_.substr(begin, 12), kKeyword))
        continue;
      if (is_of_no_use(code_.substr(begin, *close - begin))) continue;
      statement(begin, *close + 2, "call");
    }
    static const std::regex kAssignment(
        R"(\n( +)((?:\+\+|--)?[A-Za-z_*][\w.\[\]>()-]*(?: (?:[-+|&^]?=) [^;{}]*)?;))");
    for (auto it = std::sregex_iterator(code_.begin(), code_.end(), kAssignment);
         it != std::sregex_iterator(); ++it) {
      const auto begin = static_cast<size_t>(it->position(2));
      const std::string found = it->str(2);
      const bool steps = found.starts_with("++") || found.starts_with("--");
      if ((!steps && found.find(" = ") == std::string::npos && found.find("= ") == std::string::npos) ||
          !begins_statement(begin))
        continue;
      statement(begin, begin + found.size(), steps ? "step" : "assignment");
    }
  }

  [[nodiscard]] bool begins_statement(size_t at) const {
    const size_t before = code_.find_last_not_of(" \n", at - 1);
    if (before == std::string::npos) return false;
    const char c = code_[before];
    return c == ';' || c == '{' || c == '}';
  }

  void statement(size_t begin, size_t end, const char* kind) {
    add(begin, end, kind, "(nothing)", "{ if (!" + std::string(kChosen) + ") { ", " } }");
  }

  void operators() {
    static const std::regex kBinary(
        R"(([\w.]+(?:->\w+|\(\)|\[\w+\]|\.\w+)*) (<=|>=|==|!=|<|>|\+|-|&&|\|\|) ([\w.]+(?:->\w+|::\w+|\(\)|\[\w+\]|\.\w+)*))");
    static const std::pair<const char*, const char*> kOther[] = {
        {"<", "<="},  {"<=", "<"}, {">", ">="}, {">=", ">"},  {"==", "!="},
        {"!=", "=="}, {"+", "-"},  {"-", "+"},  {"&&", "||"}, {"||", "&&"}};
    for (auto it = std::sregex_iterator(code_.begin(), code_.end(), kBinary); it != std::sregex_iterator();
         ++it) {
      const auto begin = static_cast<size_t>(it->position());
      const size_t end = begin + static_cast<size_t>(it->length());
      if (!stands_alone(begin, end)) continue;
      const auto* const found =
          std::ranges::find_if(kOther, [&](const auto& pair) { return (*it)[2] == pair.first; });
      const std::string left = text_.substr(begin, static_cast<size_t>(it->length(1)));
      const std::string right =
          text_.substr(static_cast<size_t>(it->position(3)), static_cast<size_t>(it->length(3)));
      const std::string mutated = left + " " + found->second + " " + right;
      add(begin, end, "operator", mutated, "(" + std::string(kChosen) + " ? (" + mutated + ") : (", "))");
    }
  }

  // Neither neighbour binds as strongly as what is between.
  [[nodiscard]] bool stands_alone(size_t begin, size_t end) const {
    const size_t before = code_.find_last_not_of(" \n", begin - 1);
    const size_t behind = code_.find_first_not_of(" \n", end);
    if (before == std::string::npos || behind == std::string::npos) return false;
    const std::string_view front = std::string_view(code_).substr(0, before + 1);
    const bool opens = front.ends_with("(") || front.ends_with(",") || front.ends_with("return") ||
                       front.ends_with("&&") || front.ends_with("||") || front.ends_with(" =") ||
                       front.ends_with("?");
    // "return x" and "(x" are whole; "Type x" is a declaration, which has no operator behind its name.
    const std::string_view rest = std::string_view(code_).substr(behind, 2);
    const bool closes = rest.starts_with(")") || rest.starts_with(";") || rest.starts_with(",") ||
                        rest == "&&" || rest == "||" || rest.starts_with("?");
    // A template's arguments look like comparisons.
    return opens && closes && code_.substr(begin, end - begin).find("::type") == std::string::npos;
  }

  void returns() {
    static const std::regex kReturn(R"(\breturn (true|false|XHAL_ERROR_\w+|XHAL_NOT_READY);)");
    for (auto it = std::sregex_iterator(code_.begin(), code_.end(), kReturn); it != std::sregex_iterator();
         ++it) {
      const auto begin = static_cast<size_t>(it->position(1));
      const std::string value = it->str(1);
      const std::string mutated = value == "true" ? "false" : value == "false" ? "true" : "XHAL_SUCCESS";
      add(begin, begin + value.size(), "return", mutated,
          "(" + std::string(kChosen) + " ? " + mutated + " : ", ")");
    }
  }

  std::string file_;
  const std::string& text_;
  const std::string code_;
  const std::vector<bool> inside_;
  std::vector<Place> places_;
};

// All alternatives of one file at once. An outer place opens before an inner one and closes behind it.
std::string rewritten(const std::string& text, std::vector<std::pair<uint32_t, const Place*>> places) {
  struct Insertion {
    size_t at;
    bool closes;
    size_t extent;
    uint32_t id;
    const std::string* code;
  };
  std::vector<Insertion> insertions;
  for (const auto& [id, place] : places) {
    const size_t extent = place->end - place->begin;
    insertions.push_back({place->begin, false, extent, id, &place->prefix});
    insertions.push_back({place->end, true, extent, id, &place->suffix});
  }
  std::ranges::sort(insertions, [](const Insertion& a, const Insertion& b) {
    if (a.at != b.at) return a.at < b.at;
    if (a.closes != b.closes) return a.closes;
    if (a.extent != b.extent) return a.closes ? a.extent < b.extent : a.extent > b.extent;
    return a.closes ? a.id > b.id : a.id < b.id;
  });
  std::string out;
  size_t done = 0;
  for (const Insertion& insertion : insertions) {
    out.append(text, done, insertion.at - done);
    done = insertion.at;
    for (const char c : *insertion.code) c == '#' ? out += std::to_string(insertion.id) : out += c;
  }
  return out.append(text, done);
}

std::string read(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) throw std::runtime_error("cannot read " + path.string());
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

void write(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream stream(path, std::ios::binary | std::ios::trunc);
  stream << text;
  stream.close();
  if (!stream) throw std::runtime_error("cannot write " + path.string());
}

std::string what(const Place& place) { return place.file + '\n' + place.original + '\n' + place.mutated; }

void number(std::vector<Place>& all) {
  std::map<std::string, size_t> times;
  for (Place& place : all) place.nth = ++times[what(place)];
}

// In the order of the files.
std::vector<const Place*> chosen(const std::vector<Place>& all, size_t most) {
  std::vector<std::pair<uint64_t, size_t>> ranks;
  for (size_t i = 0; i < all.size(); ++i) {
    uint64_t rank = 0xcbf29ce484222325;
    for (const char c : what(all[i]) + '\n' + std::to_string(all[i].nth - 1))
      rank = (rank ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    ranks.emplace_back(rank ^ rank >> 29, i);
  }
  std::ranges::sort(ranks);
  ranks.resize(std::min(most, ranks.size()));
  std::ranges::sort(ranks, {}, &std::pair<uint64_t, size_t>::second);
  std::vector<const Place*> kept;
  for (const auto& [rank, index] : ranks) kept.push_back(&all[index]);
  return kept;
}

void mutate(const fs::path& output, size_t most, const fs::path& root,
            const std::vector<std::string>& files) {
  std::vector<std::string> texts;
  std::vector<Place> all;
  for (const std::string& file : files) {
    texts.push_back(read(root / file));
    std::vector<Place> found = Finder(file, texts.back()).find();
    std::move(found.begin(), found.end(), std::back_inserter(all));
  }
  number(all);
  const std::vector<const Place*> kept = chosen(all, most);

  nlohmann::json mutants = nlohmann::json::array();
  for (size_t i = 0; i < kept.size(); ++i) {
    const Place& place = *kept[i];
    mutants.push_back({{"id", i + 1},
                       {"file", place.file},
                       {"line", place.line},
                       {"kind", place.kind},
                       {"original", place.original},
                       {"mutated", place.mutated},
                       {"nth", place.nth}});
  }
  // What is said of a place stays true while it is not among the chosen ones.
  nlohmann::json others = nlohmann::json::array();
  for (const Place& place : all) {
    if (std::ranges::find(kept, &place) == kept.end())
      others.push_back({{"file", place.file},
                        {"original", place.original},
                        {"mutated", place.mutated},
                        {"nth", place.nth}});
  }
  for (size_t f = 0; f < files.size(); ++f) {
    std::vector<std::pair<uint32_t, const Place*>> own;
    for (size_t i = 0; i < kept.size(); ++i) {
      if (kept[i]->file == files[f]) own.emplace_back(static_cast<uint32_t>(i + 1), kept[i]);
    }
    write(output / files[f], "#include \"mutant.hpp\"\n#line 1 \"" + (root / files[f]).string() + "\"\n" +
                                 rewritten(texts[f], own));
  }
  const nlohmann::json document = {
      {"schema", "xhal-mutants/1"}, {"places", all.size()}, {"mutants", mutants}, {"others", others}};
  write(output / "mutants.json", document.dump(1) + "\n");
  std::cout << kept.size() << " mutants of " << all.size() << " places in " << files.size() << " files\n";
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) {
    std::cerr << "usage: xhal-mutate OUTPUT_DIR MOST SOURCE_ROOT FILE...\n";
    return 2;
  }
  try {
    mutate(argv[1], std::stoul(argv[2]), argv[3], {argv + 4, argv + argc});
  } catch (const std::exception& error) {
    std::cerr << "xhal-mutate: " << error.what() << "\n";
    return 1;
  }
  return 0;
}

# SPDX-License-Identifier: Apache-2.0
# Reads ci/*.toml for scripts/run-lanes.sh, which must work before anything is installed. Knows the small part of TOML that those
# files use and refuses the rest, with the line; tests/house checks with a real TOML reader that both see the same.
# Output, fields separated by the unit separator:  set KEY VALUE  |  lane NAME MINUTES SHARDS NEEDS COMMAND
BEGIN {
  split("total_minutes evidence", names, " "); for (i in names) top_keys[names[i]] = 1
  split("name minutes shards needs command why", names, " "); for (i in names) lane_keys[names[i]] = 1
  OFS = "\037"
}
function refuse(what) { printf "%s:%d: %s\n", FILENAME, FNR, what > "/dev/stderr"; failed = 1; exit 2 }
function flush_lane() {
  if (!in_lane) return
  if (!("name" in lane) || !("minutes" in lane) || !("command" in lane)) refuse("the lane above lacks name, minutes or command")
  if (lane["name"] in lanes) refuse("lane '" lane["name"] "' stands here twice")
  lanes[lane["name"]] = 1
  if (lane["needs"] != "" && !(lane["needs"] in lanes)) refuse("lane '" lane["name"] "' needs '" lane["needs"] "', which does not stand before it")
  print "lane", lane["name"], lane["minutes"], ("shards" in lane ? lane["shards"] : 1), lane["needs"], lane["command"]
  split("", lane)
}
/^[ \t]*(#|$)/ { next }
/^\[\[lane\]\][ \t]*(#.*)?$/ { flush_lane(); in_lane = 1; next }
/^[a-z_]+ *= */ {
  key = $0; sub(/ *=.*/, "", key)
  value = $0; sub(/^[a-z_]+ *= */, "", value)
  if (in_lane ? !(key in lane_keys) : !(key in top_keys)) refuse("unknown key '" key "'")
  if (in_lane ? (key in lane) : (key in top)) refuse("key '" key "' stands here twice")
  if (match(value, /^"[^"\\]*"/) || match(value, /^'[^']*'/)) {
    rest = substr(value, RLENGTH + 1); text = substr(value, 2, RLENGTH - 2); number = 0
  } else if (match(value, /^[0-9]+(\.[0-9]+)?/)) {
    rest = substr(value, RLENGTH + 1); text = substr(value, 1, RLENGTH); number = 1
  } else refuse("not a plain string or number: " value)
  if (rest !~ /^[ \t]*(#.*)?$/) refuse("unexpected text behind the value: " rest)
  if (number != (key ~ /minutes|shards/)) refuse("key '" key "' wants a " (key ~ /minutes|shards/ ? "number" : "string"))
  if (key == "name" && text !~ /^[a-z][a-z0-9-]*$/) refuse("a lane's name is lower-case letters, digits and hyphens, not '" text "'")
  if (key == "shards" && text !~ /^[1-9][0-9]*$/) refuse("shards wants a whole number from 1")
  if (in_lane) lane[key] = text
  else { top[key] = text; print "set", key, text }
  next
}
{ refuse("not understood: " $0) }
END { if (!failed) flush_lane() }

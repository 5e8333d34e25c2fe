#include "tools/sealane/gitops_view.h"

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/core/time.h"
#include "lib/kube/json_access.h"

namespace sealane::cli {
namespace {

using kube::GetInt;
using kube::GetString;

std::string FieldOrDash(const Json& source, std::string_view field) {
  const std::string_view text = GetString(source, {field});
  return text.empty() ? "-" : std::string(text);
}

std::string Commit(const Json& source, std::string_view field) {
  return FieldOrDash(source, field).substr(0, 8);
}

std::string Age(const Json& source, std::string_view field, int64_t now_micros) {
  const absl::StatusOr<absl::Time> time = ParseKubeTime(GetString(source, {field}));
  return FormatAge(now_micros, time.ok() ? ToMicros(*time) : 0);
}

std::string Path(const Json& source) {
  const std::string_view path = GetString(source, {"path"});
  return path.empty() ? "all of it" : std::string(path);
}

const Json& ListIn(const Json& source, std::string_view field) {
  static const Json& none = *new Json(Json::array());
  const Json* list = kube::Find(source, {field});
  return list == nullptr || !list->is_array() ? none : *list;
}

std::string ObjectName(const Json& object) {
  const std::string_view ns = GetString(object, {"namespace"});
  return StrCat(GetString(object, {"kind"}), " ", ns, ns.empty() ? "" : "/",
                GetString(object, {"name"}));
}

}  // namespace

std::string FormatSources(const Json& sources, const ViewOptions& options) {
  std::vector<std::string> header = {"NAME",    "STATE",   "FETCHED", "APPLIED",
                                     "OBJECTS", "CHANGED", "MESSAGE"};
  if (options.wide) header.insert(header.begin() + 1, {"URL", "BRANCH", "PATH"});
  TextTable table(header);
  for (const Json& source : sources) {
    std::vector<std::string> row = {FieldOrDash(source, "name"),
                                    FieldOrDash(source, "state"),
                                    Commit(source, "fetchedCommit"),
                                    Commit(source, "appliedCommit"),
                                    StrCat(GetInt(source, {"objectCount"})),
                                    Age(source, "appliedAt", options.now_micros),
                                    std::string(GetString(source, {"message"}))};
    if (options.wide) {
      row.insert(row.begin() + 1,
                 {FieldOrDash(source, "url"), FieldOrDash(source, "branch"), Path(source)});
    }
    table.Add(std::move(row));
  }
  return table.Render(options.style, options.header);
}

std::string FormatSource(const Json& source, const ViewOptions& options) {
  std::string out = options.style.Bold(StrCat("GitSource ", FieldOrDash(source, "name"))) + "\n";
  const auto line = [&out](std::string_view name, std::string_view text) {
    out.append(name).append(name.size() < 9 ? 9 - name.size() : 1, ' ').append(text).append("\n");
  };
  const std::string state = FieldOrDash(source, "state");
  const std::string_view message = GetString(source, {"message"});
  line("state", StrCat(options.style.Word(state), message.empty() ? "" : "  ", message));
  line("from", StrCat(FieldOrDash(source, "url"), ", branch ", FieldOrDash(source, "branch"),
                      ", path ", Path(source)));
  line("fetched", StrCat(FieldOrDash(source, "fetchedCommit"), "  first seen ",
                         Age(source, "fetchedAt", options.now_micros), " ago, last read ",
                         Age(source, "checkedAt", options.now_micros), " ago"));
  line("applied", StrCat(FieldOrDash(source, "appliedCommit"), "  ",
                         Age(source, "appliedAt", options.now_micros), " ago"));
  line("prune", kube::GetBool(source, {"prune"}) ? "yes" : "no: what leaves the path stays");
  const Json& problems = ListIn(source, "problems");
  if (!problems.empty()) {
    out.append("\n").append(options.style.Bold("What is wrong")).append("\n");
    for (const Json& problem : problems) {
      out.append(
          StrCat("  ", GetString(problem, {"reason"}), "  ", GetString(problem, {"text"}), "\n"));
    }
  }
  const Json& objects = ListIn(source, "objects");
  out.append("\n")
      .append(options.style.Bold(StrCat(GetInt(source, {"objectCount"}), " objects")))
      .append("\n");
  TextTable table({"OBJECT", "FROM"});
  for (const Json& object : objects) {
    table.Add({ObjectName(object), std::string(GetString(object, {"file"}))});
  }
  if (!table.empty()) out.append(table.Render(options.style));
  return out;
}

}  // namespace sealane::cli

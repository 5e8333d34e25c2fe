#include "services/gateway/fleet_view.h"

#include <algorithm>
#include <utility>

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/kube/json_access.h"
#include "lib/kubeapi/errors.h"

namespace sealane::gateway {

using kube::GetString;

namespace {

bool IsTable(const Json& body) { return GetString(body, {"kind"}) == "Table"; }

bool IsList(const Json& body) {
  const auto items = body.find("items");
  return items != body.end() && (items->is_array() || items->is_null());
}

void Label(std::string_view cluster, Json& object) {
  if (!object.is_object()) return;
  Json& metadata = object["metadata"];
  if (!metadata.is_object()) metadata = Json::object();
  Json& labels = metadata["labels"];
  if (!labels.is_object()) labels = Json::object();
  labels[kClusterLabel] = std::string(cluster);
}

Json ClusterColumn() {
  return {{"name", "Cluster"},
          {"type", "string"},
          {"format", ""},
          {"description", "The member cluster that has it."},
          {"priority", 0}};
}

// Behind the first column, which is the name.
void Insert(Json& list, Json value) {
  list.insert(list.begin() + (list.empty() ? 0 : 1), std::move(value));
}

void MarkTable(std::string_view cluster, Json& table) {
  if (auto columns = table.find("columnDefinitions");
      columns != table.end() && columns->is_array() && !columns->empty()) {
    Insert(*columns, ClusterColumn());
  }
  const auto rows = table.find("rows");
  if (rows == table.end() || !rows->is_array()) return;
  for (Json& row : *rows) {
    if (!row.is_object()) continue;
    if (auto cells = row.find("cells"); cells != row.end() && cells->is_array()) {
      Insert(*cells, std::string(cluster));
    }
    if (auto object = row.find("object"); object != row.end()) Label(cluster, *object);
  }
}

std::vector<std::string> ColumnNames(const Json& table) {
  std::vector<std::string> names;
  const auto columns = table.find("columnDefinitions");
  if (columns == table.end() || !columns->is_array()) return names;
  for (const Json& column : *columns) {
    names.emplace_back(GetString(column, {"name"}));
  }
  return names;
}

// Clusters of other versions may have other columns: cells are put under the names of `wanted`.
void Align(const std::vector<std::string>& wanted, Json& table) {
  const std::vector<std::string> have = ColumnNames(table);
  if (have == wanted) return;
  for (Json& row : table["rows"]) {
    if (!row.is_object()) continue;
    Json cells = Json::array();
    for (const std::string& name : wanted) {
      const auto it = std::find(have.begin(), have.end(), name);
      const auto at = static_cast<size_t>(it - have.begin());
      const bool known = it != have.end() && row["cells"].is_array() && at < row["cells"].size();
      cells.push_back(known ? row["cells"][at] : Json("<none>"));
    }
    row["cells"] = std::move(cells);
  }
}

// What a failed answer says.
std::string Reason(const MemberAnswer& answer) {
  if (!answer.error.empty()) return answer.error;
  std::string message(answer.body != nullptr ? GetString(*answer.body, {"message"}) : "");
  if (message.empty()) message = StrCat("HTTP status ", answer.status);
  return StrCat("cluster ", answer.cluster, ": ", message);
}

FleetAnswer Failure(const std::vector<MemberAnswer>& answers) {
  FleetAnswer out;
  // One that says more than that it has nothing.
  auto it = std::find_if(answers.begin(), answers.end(),
                         [](const MemberAnswer& answer) { return answer.status != 404; });
  if (it == answers.end()) it = answers.begin();
  out.status = it->status == 0 ? 504 : it->status;
  if (it->status != 0 && it->body != nullptr && it->body->is_object()) {
    out.body = it->body;
  } else {
    out.body = std::make_shared<Json>(
        kubeapi::StatusObject(kubeapi::ApiError(out.status, "Timeout", Reason(*it))));
  }
  return out;
}

// Joins into the first.
std::shared_ptr<Json> Join(std::vector<MemberAnswer>& good, bool table) {
  const char* const list = table ? "rows" : "items";
  std::shared_ptr<Json> out = good.front().body;
  PerCluster versions;
  PerCluster more;
  for (MemberAnswer& answer : good) {
    Json& body = *answer.body;
    if (const auto version = GetString(body, {"metadata", "resourceVersion"}); !version.empty()) {
      versions[answer.cluster] = version;
    }
    if (const auto next = GetString(body, {"metadata", "continue"}); !next.empty()) {
      more[answer.cluster] = next;
    }
    if (!body[list].is_array()) body[list] = Json::array();
    if (table) {
      MarkTable(answer.cluster, body);
    } else {
      for (Json& item : body[list]) Label(answer.cluster, item);
    }
    if (&body == out.get()) continue;
    if (table) Align(ColumnNames(*out), body);
    for (Json& item : body[list]) (*out)[list].push_back(std::move(item));
  }
  Json metadata = {{"resourceVersion", JoinPerCluster(versions)}};
  if (!more.empty()) metadata["continue"] = JoinPerCluster(more);
  (*out)["metadata"] = std::move(metadata);
  return out;
}

}  // namespace

FleetAnswer MergeAnswers(std::vector<MemberAnswer> answers) {
  std::vector<MemberAnswer> good;
  FleetAnswer out;
  for (const MemberAnswer& answer : answers) {
    if (answer.status == 200 && answer.body != nullptr && answer.body->is_object()) {
      good.push_back(answer);
    } else if (answer.status != 404) {
      out.warnings.push_back(Reason(answer));
    }
  }
  if (good.empty()) return Failure(answers);
  const bool table = IsTable(*good.front().body);
  const bool list = IsList(*good.front().body);
  // Answers of another form than the first's cannot be joined with it.
  std::erase_if(good, [&](const MemberAnswer& answer) {
    const bool same = IsTable(*answer.body) == table && IsList(*answer.body) == list;
    if (!same) out.warnings.push_back(StrCat("cluster ", answer.cluster, ": a strange answer"));
    return !same;
  });
  if (table || list) {
    out.body = Join(good, table);
    return out;
  }
  if (good.size() == 1) {
    Label(good.front().cluster, *good.front().body);
    out.body = good.front().body;
    return out;
  }
  std::vector<std::string> names;
  for (const MemberAnswer& answer : good) names.push_back(answer.cluster);
  out.status = 409;
  out.body = std::make_shared<Json>(kubeapi::StatusObject(kubeapi::ApiError(
      409, "Conflict",
      StrCat("several clusters have it (", StrJoin(names, ", "), "): ask one of them"))));
  return out;
}

bool MarkEvent(std::string_view cluster, Json& event) {
  if (!event.is_object()) return false;
  const std::string_view type = GetString(event, {"type"});
  const auto object = event.find("object");
  if (type == "BOOKMARK" || object == event.end() || !object->is_object()) return false;
  if (type == "ERROR") return true;
  if (IsTable(*object)) {
    MarkTable(cluster, *object);
  } else {
    Label(cluster, *object);
  }
  return true;
}

std::string JoinPerCluster(const PerCluster& values) {
  std::vector<std::string> parts;
  for (const auto& [cluster, value] : values) {
    parts.push_back(StrCat(cluster, "=", http::PercentEncode(value)));
  }
  return StrJoin(parts, ",");
}

std::optional<PerCluster> SplitPerCluster(std::string_view text) {
  PerCluster out;
  for (size_t start = 0; start <= text.size();) {
    const size_t end = std::min(text.find(',', start), text.size());
    const std::string_view part = text.substr(start, end - start);
    const size_t equals = part.find('=');
    if (equals == std::string_view::npos || equals == 0) return std::nullopt;
    out[std::string(part.substr(0, equals))] = http::PercentDecode(part.substr(equals + 1), false);
    start = end + 1;
  }
  return out;
}

std::optional<std::string> TargetFor(std::string_view cluster, std::string_view path,
                                     const http::Target& target) {
  std::string out(path.substr(0, path.find('?')));
  char separator = '?';
  for (const auto& [name, value] : target.query) {
    std::string own = value;
    if (name == "resourceVersion" || name == "continue") {
      if (const auto values = SplitPerCluster(value)) {
        const auto it = values->find(std::string(cluster));
        if (it == values->end()) return std::nullopt;
        own = it->second;
      }
    }
    out += StrCat(std::string(1, std::exchange(separator, '&')), http::PercentEncode(name), "=",
                  http::PercentEncode(own));
  }
  return out;
}

}  // namespace sealane::gateway

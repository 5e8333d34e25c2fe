// Replays 122 exchanges recorded from kube-apiserver 1.36 and compares every answer with the real
// one: status, body, and who owns which field.

#include <zlib.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "tests/unit/lib/kubeapi/api_harness.h"

namespace sealane::kubeapi {
namespace {

constexpr char kData[] = "/tests/conformance/data/kubernetes/";

std::string ReadGzip(const std::string& path) {
  std::string out;
  gzFile file = gzopen(path.c_str(), "rb");
  if (file == nullptr) return out;
  char buffer[1 << 16];
  int size = 0;
  while ((size = gzread(file, buffer, sizeof(buffer))) > 0) {
    out.append(buffer, static_cast<size_t>(size));
  }
  gzclose(file);
  return out;
}

std::vector<Json> ReadExchanges() {
  std::vector<Json> out;
  const std::string text = ReadGzip(StrCat(SEALANE_SOURCE_DIR, kData, "exchanges.jsonl.gz"));
  size_t at = 0;
  while (at < text.size()) {
    const size_t end = text.find('\n', at);
    out.push_back(Json::parse(text.substr(at, end - at)));
    at = end + 1;
  }
  return out;
}

// What differs between two servers by nature.
Json Normalize(const Json& value) {
  static const std::set<std::string> drop = {"uid",
                                             "resourceVersion",
                                             "creationTimestamp",
                                             "time",
                                             "clusterIP",
                                             "clusterIPs",
                                             "remainingItemCount",
                                             "continue",
                                             "description",
                                             "deletionTimestamp",
                                             "storageVersionHash",
                                             "lastTransitionTime",
                                             "gitVersion",
                                             "gitCommit",
                                             "goVersion",
                                             "compiler",
                                             "buildDate",
                                             "serverAddressByClientCIDRs"};
  if (value.is_object()) {
    Json out = Json::object();
    for (const auto& [key, child] : value.items()) {
      if (drop.count(key) != 0) continue;
      Json normal = Normalize(child);
      const bool empty = normal.is_null() || (normal.is_structured() && normal.empty());
      // In fieldsV1 an empty object is what says that a field is owned.
      const bool path = key == "." || key.substr(0, 2) == "f:" || key.substr(0, 2) == "k:" ||
                        key.substr(0, 2) == "v:";
      if (!empty || path) out[key] = std::move(normal);
    }
    return out;
  }
  if (value.is_array()) {
    Json out = Json::array();
    for (const Json& child : value) out.push_back(Normalize(child));
    return out;
  }
  if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    if (text.size() == 9 && text.substr(0, 4) == "gen-") return "gen-x";
    if (text.substr(0, 6) == "10.96.") return "10.96.x";
  }
  return value;
}

// Answers whose content says what a server has rather than how it behaves: only their kind counts.
bool OnlyShape(const std::string& name) {
  for (const char* prefix : {"api", "apis", "agg-discovery", "openapi", "apps-v1", "version"}) {
    if (name.substr(0, std::string(prefix).size()) == prefix) return true;
  }
  return false;
}

class Replay {
 public:
  Replay() : api_({.token = "secret"}) {}

  ApiAnswer Play(const Json& exchange) {
    const std::string id = exchange["id"];
    std::string path = exchange["path"];
    const size_t token = path.find("continue=");
    if (token != std::string::npos) path = path.substr(0, token + 9) + continue_;
    if (id == "105-watch-events") {
      return WatchEvents(path);
    }
    const bool watch = path.find("watch=1") != std::string::npos;
    (void)watch;  // a watch answers when its timeout ends it, in virtual time
    Json body = Translate(exchange["body"]);
    ApiAnswer answer =
        api_.Call(exchange["method"], path, body, exchange["contentType"], exchange["accept"],
                  id == "122-auth-bad-token" ? "wrong" : "secret");
    if (exchange["response"].is_array() && answer.body.is_string())
      answer.body = Lines(answer.text);
    if (exchange["response"].is_array() && answer.body.is_object()) {
      answer.body = Json::array({answer.body});
    }
    Learn(exchange["response"], answer.body);
    return answer;
  }

 private:
  static Json Lines(const std::string& text) {
    Json out = Json::array();
    size_t at = 0;
    while (at < text.size()) {
      const size_t end = text.find('\n', at);
      out.push_back(Json::parse(text.substr(at, end - at)));
      at = end + 1;
    }
    return out;
  }

  // The recorder made these changes while the watch ran.
  ApiAnswer WatchEvents(std::string path) {
    const size_t at = path.find("resourceVersion=") + 16;
    path.replace(at, path.find('&', at) - at, std::to_string(api_.store.revision()));
    const std::string base = path.substr(0, path.find('?'));
    http::HttpRequest request;
    request.path = path;
    request.headers.Set("Authorization", "Bearer secret");
    ApiAnswer answer;
    bool done = false;
    api_.transport.Send(std::move(request), [&](absl::StatusOr<http::HttpResponse> response) {
      done = true;
      answer.status = response->status;
      answer.text = response->body;
    });
    api_.sim.RunFor(absl::Seconds(1));
    const auto call = [&](const char* method, const std::string& target, const Json& body,
                          const char* type) {
      api_.Call(method, target, body, type, "application/json", "secret");
    };
    call("POST", base,
         {{"apiVersion", "v1"},
          {"kind", "ConfigMap"},
          {"metadata", {{"name", "wcm"}, {"labels", {{"w", "1"}}}}}},
         "application/json");
    call("PATCH", base + "/wcm", {{"data", {{"x", "y"}}}}, "application/merge-patch+json");
    call("DELETE", base + "/wcm", Json(), "");
    EXPECT_TRUE(api_.sim.RunUntil([&] { return done; }, absl::Seconds(10)));
    answer.body = Lines(answer.text);
    return answer;
  }

  // Recorded uids and versions mean those that this server gave instead.
  void Learn(const Json& theirs, const Json& ours) {
    if (theirs.is_object() && ours.is_object()) {
      for (const auto& [key, value] : theirs.items()) {
        const auto it = ours.find(key);
        if (it == ours.end()) continue;
        if ((key == "uid" || key == "resourceVersion") && value.is_string() && it->is_string()) {
          known_[key + value.get<std::string>()] = *it;
        }
        if (key == "continue") continue_ = it->get<std::string>();
        Learn(value, *it);
      }
    } else if (theirs.is_array() && ours.is_array()) {
      for (size_t i = 0; i < std::min(theirs.size(), ours.size()); ++i) Learn(theirs[i], ours[i]);
    }
  }
  Json Translate(const Json& value) const {
    if (!value.is_object()) return value;
    Json out = value;
    for (auto& [key, child] : out.items()) {
      if ((key == "uid" || key == "resourceVersion") && child.is_string()) {
        const auto it = known_.find(key + child.get<std::string>());
        if (it != known_.end()) child = it->second;
      } else {
        child = Translate(child);
      }
    }
    return out;
  }

  ApiHarness api_;
  std::map<std::string, Json> known_;
  std::string continue_;
};

std::string FirstDifference(const Json& theirs, const Json& ours) {
  const Json patch = Json::diff(theirs, ours);
  return patch.empty() ? "" : patch.front().dump().substr(0, 400);
}

TEST(ExchangesTest, AnswersAsTheRealServerDid) {
  // Messages that quote a JSON parser's own words, or what this server cannot produce (YAML and
  // protobuf answers), or a uid; and the order of causes that the real server takes from a hash
  // map.
  const std::set<std::string> other_words = {"027-cm-create-malformed", "058-cm-not-acceptable",
                                             "068-ssa-name-mismatch", "117-del-precondition"};
  const std::vector<Json> exchanges = ReadExchanges();
  ASSERT_EQ(exchanges.size(), 122U);
  Replay replay;
  for (const Json& exchange : exchanges) {
    const std::string id = exchange["id"];
    const ApiAnswer answer = replay.Play(exchange);
    EXPECT_EQ(answer.status, exchange["status"].get<int>()) << id << " " << answer.text;
    const Json theirs = Normalize(exchange["response"]);
    const Json ours = Normalize(answer.body);
    if (OnlyShape(id.substr(4))) {
      EXPECT_EQ(theirs.type(), ours.type()) << id;
      if (theirs.is_object()) {
        EXPECT_EQ(theirs.value("kind", ""), ours.value("kind", "")) << id;
      }
    } else if (other_words.count(id) != 0) {
      for (const char* field : {"kind", "status", "reason", "code"}) {
        EXPECT_EQ(theirs.value(field, Json()), ours.value(field, Json())) << id << " " << field;
      }
    } else {
      EXPECT_EQ(FirstDifference(theirs, ours), "") << id;
    }
  }
}

TEST(ExchangesTest, DiscoveryListsWhatTheRealServerLists) {
  const Json schema = Json::parse(ReadGzip(StrCat(SEALANE_SOURCE_DIR, kData, "schema.json.gz")));
  ApiHarness api;
  size_t missing = 0;
  for (const Json& resource : schema["resources"]) {
    const std::string group_version = resource["groupVersion"];
    // Served in one version only: there is no conversion between versions of built-in kinds.
    if (group_version == "autoscaling/v1" || group_version == "events.k8s.io/v1") continue;
    const bool core = group_version == "v1";
    const ApiAnswer answer = api.Get(StrCat(core ? "/api/" : "/apis/", group_version));
    ASSERT_EQ(answer.status, 200) << group_version;
    bool found = false;
    for (const Json& ours : answer.body["resources"]) {
      if (ours["name"] != resource["name"]) continue;
      found = true;
      EXPECT_EQ(ours["kind"], resource["kind"]) << resource;
      EXPECT_EQ(ours["namespaced"], resource["namespaced"]) << resource;
      EXPECT_EQ(ours["verbs"], resource["verbs"]) << resource;
      EXPECT_EQ(ours.value("shortNames", Json()), resource.value("shortNames", Json())) << resource;
    }
    if (!found) {
      ++missing;
      ADD_FAILURE() << resource;
    }
  }
  EXPECT_EQ(missing, 0U);
}

}  // namespace
}  // namespace sealane::kubeapi

#include "services/gateway/member_proxy.h"

#include <algorithm>
#include <array>
#include <utility>

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/kubeapi/errors.h"
#include "lib/kubeapi/request.h"

namespace sealane::gateway {
namespace {

constexpr std::string_view kAll = "-";
constexpr std::string_view kClusterGroup = "cluster.karmada.io";
// How often long answers are looked at: is the user still who he was, and may he still?
constexpr absl::Duration kLookAgain = absl::Seconds(30);

std::string VerbOf(std::string_view method) {
  if (method == "GET" || method == "HEAD") return "get";
  if (method == "POST") return "create";
  if (method == "PUT") return "update";
  return method == "PATCH" ? "patch" : "delete";
}

kubeapi::Attributes ProxyAttributes(std::string_view method, std::string_view cluster) {
  kubeapi::Attributes out;
  out.resource_request = true;
  out.verb = VerbOf(method);
  out.group = kClusterGroup;
  out.resource = "clusters";
  out.subresource = "proxy";
  out.name = cluster;
  return out;
}

// What follows the first `count` segments of a target whose segments are not empty.
std::string After(std::string_view target, size_t count) {
  size_t at = 0;
  for (size_t i = 0; i <= count; ++i) {
    const size_t next = target.find('/', i == 0 ? 0 : at + 1);
    if (next == std::string_view::npos || next > target.find('?')) return "/";
    at = next;
  }
  return std::string(target.substr(at));
}

// The segments before the cluster's name in the two forms of the path.
constexpr std::array<std::string_view, 4> kLong = {"apis", kClusterGroup, "v1alpha1", "clusters"};
constexpr std::string_view kLongStart = "/apis/cluster.karmada.io/v1alpha1/clusters/";

bool BeginsWith(const std::vector<std::string>& path, std::string_view first) {
  return path.size() >= 3 && path[0] == first && path[2] == "proxy";
}

}  // namespace

struct MemberProxy::Asked {
  const MemberAsker& asker;
  const http::HttpRequest& request;
  std::shared_ptr<http::ResponseWriter> writer;
  std::string cluster = {};
  std::string inner = {};
  kubeapi::Attributes proxy = {};
  kubeapi::Attributes wanted = {};  // in the member
  bool audited = false;             // the writer tells the answer to the audit, whatever it is

  void Fail(const absl::Status& status) const {
    SendError(*writer, status, !wanted.resource_request && !inner.empty());
  }
};

MemberProxy::MemberProxy(Env env, MemberClient& client, Hooks hooks, MemberProxyOptions options)
    : env_(env),
      client_(client),
      hooks_(std::move(hooks)),
      options_(options),
      places_(options.max_per_user, options.max),
      executor_(env.executor) {
  executor_.After(kLookAgain, [this] { LookAgain(); });
}

MemberProxy::~MemberProxy() = default;

bool MemberProxy::IsMine(std::string_view target) {
  if (target.starts_with("/clusters/")) return true;
  // Taken apart only if it can be: for most requests this is all that is looked at.
  const bool encoded = target.substr(0, target.find('?')).find('%') != std::string_view::npos;
  if (!encoded && !target.starts_with(kLongStart)) return false;
  const std::optional<std::vector<std::string>> path = http::PathSegments(target);
  return path.has_value() && path->size() >= 6 &&
         std::equal(kLong.begin(), kLong.end(), path->begin()) && (*path)[5] == "proxy";
}

std::optional<MemberProxy::Path> MemberProxy::Parse(std::string_view target) {
  // Clients put a slash behind the server's address.
  const size_t end = std::min(target.find('?'), target.size());
  std::string whole(target);
  if (end > 1 && target[end - 1] == '/') whole.erase(end - 1, 1);
  const std::optional<std::vector<std::string>> path = http::PathSegments(whole);
  if (!path.has_value()) return std::nullopt;
  if (BeginsWith(*path, "clusters")) return Path{(*path)[1], After(whole, 3)};
  if (path->size() >= 6 && std::equal(kLong.begin(), kLong.end(), path->begin()) &&
      (*path)[5] == "proxy") {
    return Path{(*path)[4], After(whole, 6)};
  }
  return std::nullopt;
}

bool MemberProxy::Allowed(const kubeapi::UserInfo& user, const kubeapi::Attributes& proxy,
                          const kubeapi::Attributes& inner) const {
  if (!hooks_.authorize(user, proxy)) return false;
  // What is no object (discovery, versions) is for everybody who may look into the cluster.
  return !inner.resource_request || hooks_.authorize(user, inner);
}

void MemberProxy::Handle(const MemberAsker& asker, const http::HttpRequest& request,
                         std::shared_ptr<http::ResponseWriter> writer) {
  std::optional<Path> path = Parse(request.path);
  Asked asked{asker, request, std::move(writer)};
  if (!path.has_value()) {
    return asked.Fail(kubeapi::BadRequest("the path is not /clusters/NAME/proxy/..."));
  }
  asked.cluster = std::move(path->cluster);
  asked.inner = std::move(path->inner);
  asked.proxy = ProxyAttributes(request.method, asked.cluster);
  asked.wanted = kubeapi::AttributesOf(request.method, http::ParseTarget(asked.inner));
  if (asked.proxy.verb != "get" || asked.wanted.resource == "secrets") {
    asked.audited = true;
    asked.writer = kubeapi::ObserveAnswer(
        std::move(asked.writer), [audit = hooks_.audit, user = asker.user, proxy = asked.proxy,
                                  inner = asked.wanted, began = env_.clock.Monotonic()](int code) {
          kubeapi::AuditRecord record{user, inner, code, absl::ZeroDuration()};
          record.attributes.path = StrCat("clusters/", proxy.name);
          if (audit) audit(record);
        });
  }
  if (const absl::Status refused =
          kubeapi::RefuseImpersonation(request.headers, asker.user, asked.wanted);
      !refused.ok()) {
    return Deny(asked, asked.wanted, refused);
  }
  if (asked.cluster == kAll) return All(asked);
  if (!Allowed(asker.user, asked.proxy, asked.wanted)) {
    const bool may_look = hooks_.authorize(asker.user, asked.proxy);
    const kubeapi::Attributes& missing = may_look ? asked.wanted : asked.proxy;
    return Deny(asked, missing, kubeapi::Forbidden(asker.user, missing));
  }
  One(asked);
}

void MemberProxy::Deny(const Asked& asked, const kubeapi::Attributes& what,
                       const absl::Status& why) const {
  if (!asked.audited && hooks_.audit) {
    hooks_.audit({asked.asker.user, what, 403, absl::ZeroDuration()});
  }
  asked.Fail(why);
}

bool MemberProxy::TakePlace(const Asked& asked) {
  if (places_.Take(asked.asker.user.name)) return true;
  asked.Fail(
      kubeapi::ApiError(429, "TooManyRequests", "too many requests into clusters are under way"));
  return false;
}

template <typename T>
T& MemberProxy::Add(const Asked& asked, std::function<bool()> still_allowed) {
  const uint64_t id = next_id_++;
  const std::string& user = asked.asker.user.name;
  auto task = std::make_unique<T>(env_, asked.writer, [this, id] {
    // Not now: the task is in the middle of something.
    executor_.Post([this, id] {
      const auto it = tasks_.find(id);
      if (it == tasks_.end()) return;
      places_.GiveBack(it->second.user);
      tasks_.erase(it);
    });
  });
  task->SetPlainErrors(!asked.wanted.resource_request);
  T& out = *task;
  tasks_[id] = Running{std::move(task), user, std::move(still_allowed)};
  return out;
}

void MemberProxy::One(const Asked& asked) {
  if (!hooks_.clusters().contains(asked.cluster)) {
    return asked.Fail(
        kubeapi::NotFoundError({std::string(kClusterGroup), "clusters", asked.cluster}));
  }
  if (asked.request.headers.Has("Upgrade")) {
    return asked.Fail(kubeapi::ApiError(
        501, "NotImplemented",
        "exec, attach and port-forward are not possible over the bus: use the cluster's own API "
        "server"));
  }
  if (!TakePlace(asked)) return;
  MemberRelay& relay = Add<MemberRelay>(
      asked, [this, known = asked.asker.still_known, user = asked.asker.user, proxy = asked.proxy,
              inner = asked.wanted] { return known() && Allowed(user, proxy, inner); });
  http::HttpRequest request = asked.request;
  request.path = asked.inner;
  relay.Begin(client_, asked.cluster, request, asked.asker.user.name);
}

void MemberProxy::All(const Asked& asked) {
  const kubeapi::UserInfo& user = asked.asker.user;
  std::map<std::string, bool> mine;
  for (const auto& [name, ready] : hooks_.clusters()) {
    if (hooks_.authorize(user, ProxyAttributes(asked.request.method, name))) mine[name] = ready;
  }
  const bool may_object = !asked.wanted.resource_request || hooks_.authorize(user, asked.wanted);
  if (!may_object || (mine.empty() && !hooks_.authorize(user, asked.proxy))) {
    const kubeapi::Attributes& missing = may_object ? asked.proxy : asked.wanted;
    return Deny(asked, missing, kubeapi::Forbidden(user, missing));
  }
  if (asked.request.method != "GET") {
    return asked.Fail(kubeapi::ApiError(405, "MethodNotAllowed",
                                        "all clusters together can only be read: name one"));
  }
  const auto first_ready =
      std::find_if(mine.begin(), mine.end(), [](const auto& cluster) { return cluster.second; });
  if (!asked.wanted.resource_request) {
    // Discovery: what one of them serves. Clusters of a fleet are much alike.
    if (first_ready == mine.end()) {
      return asked.Fail(kubeapi::ApiError(503, "ServiceUnavailable", "no cluster is ready"));
    }
    Asked one = asked;
    one.cluster = first_ready->first;
    one.proxy.name = one.cluster;
    return One(one);
  }
  if (!asked.wanted.subresource.empty() && asked.wanted.subresource != "status" &&
      asked.wanted.subresource != "scale") {
    return asked.Fail(kubeapi::BadRequest(
        StrCat(asked.wanted.subresource, " is read from one cluster: name it")));
  }
  if (!TakePlace(asked)) return;
  const http::Target target = http::ParseTarget(asked.inner);
  std::map<std::string, std::string> targets;
  std::vector<std::string> missing;
  for (const auto& [name, ready] : mine) {
    const auto own = TargetFor(name, asked.inner, target);
    if (!own.has_value()) continue;
    if (!ready) {
      missing.push_back(StrCat("cluster ", name, ": not ready: left out"));
    } else {
      targets[name] = *own;
    }
  }
  const auto still_allowed = [this, known = asked.asker.still_known, user, targets,
                              inner = asked.wanted] {
    return known() && std::all_of(targets.begin(), targets.end(), [&](const auto& one) {
             return Allowed(user, ProxyAttributes("GET", one.first), inner);
           });
  };
  if (asked.wanted.verb == "watch") {
    return Add<MemberFleetWatch>(asked, still_allowed)
        .Begin(client_, targets, asked.request, user.name, options_.max_unread_bytes);
  }
  MemberCollection& collection = Add<MemberCollection>(asked, still_allowed);
  for (std::string& warning : missing) collection.AddMissing(std::move(warning));
  collection.Begin(client_, targets, asked.request, user.name, options_.fleet_timeout,
                   options_.max_answer_bytes);
}

void MemberProxy::LookAgain() {
  for (auto& [id, running] : tasks_) {
    if (running.still_allowed()) continue;
    running.task->Stop(kubeapi::ApiError(403, "Forbidden", "the right to this was taken away"));
  }
  executor_.After(kLookAgain, [this] { LookAgain(); });
}

}  // namespace sealane::gateway

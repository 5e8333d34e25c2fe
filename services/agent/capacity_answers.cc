#include "services/agent/capacity_answers.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/kube/json_access.h"
#include "lib/model/selector.h"
#include "lib/model/toleration.h"
#include "sealane/v1/capacity.pb.h"
#include "sealane/v1/cluster.pb.h"

namespace sealane::agent {
namespace {

using kube::Find;
using kube::GetString;

constexpr std::string_view kSubject = "ctl.capacity";
constexpr absl::Duration kQuotasFor = absl::Seconds(10);
// The asker decides without this cluster when the answer takes longer.
constexpr absl::Duration kPatience = absl::Milliseconds(300);
constexpr int kMaxQuotas = 5000;
constexpr int64_t kMany = std::numeric_limits<int32_t>::max();

// One matchExpression of a node selector term. `value`: of the label or field, null: absent.
bool Meets(const Json& expression, const std::string* value) {
  std::vector<std::string> values;
  if (const Json* list = Find(expression, {"values"}); list != nullptr && list->is_array()) {
    for (const Json& item : *list) {
      if (item.is_string()) values.push_back(item.get<std::string>());
    }
  }
  const auto requirement = MakeRequirement(GetString(expression, {"key"}),
                                           GetString(expression, {"operator"}), std::move(values));
  return requirement.ok() && requirement->Matches(value);
}

bool TermMatches(const Json& term, const std::string& name, const NodeFacts& node) {
  bool any = false;  // an empty term matches no node
  const auto all = [&](const char* list, auto&& value_of) {
    const Json* expressions = Find(term, {list});
    if (expressions == nullptr || !expressions->is_array()) return true;
    return std::all_of(expressions->begin(), expressions->end(), [&](const Json& expression) {
      any = true;
      return Meets(expression, value_of(std::string(GetString(expression, {"key"}))));
    });
  };
  const bool labels = all("matchExpressions", [&](const std::string& key) -> const std::string* {
    const auto it = node.labels.find(key);
    return it == node.labels.end() ? nullptr : &it->second;
  });
  const bool fields = all("matchFields", [&](const std::string& key) -> const std::string* {
    return key == "metadata.name" ? &name : nullptr;
  });
  return labels && fields && any;
}

// `affinity`: a NodeSelector. Its terms are alternatives.
bool AffinityMatches(const Json& affinity, const std::string& name, const NodeFacts& node) {
  const Json* terms = Find(affinity, {"nodeSelectorTerms"});
  if (terms == nullptr || !terms->is_array()) return false;
  return std::any_of(terms->begin(), terms->end(),
                     [&](const Json& term) { return TermMatches(term, name, node); });
}

bool Tolerated(const v1::ReplicaRequirements& requirements, const NodeFacts::Taint& taint) {
  if (taint.effect != "NoSchedule" && taint.effect != "NoExecute") return true;
  v1::Taint as_proto;
  as_proto.set_key(taint.key);
  as_proto.set_value(taint.value);
  as_proto.set_effect(taint.effect);
  return TaintIsTolerated(requirements.node_claim().tolerations(), as_proto);
}

Resources RequestOf(const v1::CapacityQuestion& question) {
  Resources request;
  for (const auto& entry : question.requirements().resource_request()) {
    const auto quantity = Quantity::Parse(entry.second);
    if (quantity.ok() && *quantity > Quantity()) request[entry.first] = *quantity;
  }
  return request;
}

// How often `wanted` fits into `have`.
int64_t Times(const Quantity& have, const Quantity& wanted) {
  if (have <= Quantity()) return 0;
  // CPU is counted in thousandths; amounts of bytes would overflow there.
  const int64_t milli = wanted.MilliValue();
  const int64_t left = have.MilliValue();
  const bool exact = left < std::numeric_limits<int64_t>::max();
  return std::min(kMany, exact ? left / std::max<int64_t>(1, milli)
                               : have.Value() / std::max<int64_t>(1, wanted.Value()));
}

int64_t FitsOn(const Resources& request, const NodeFacts& node) {
  const auto free = [&](std::string_view name) {
    const auto have = node.allocatable.find(name);
    Quantity left = have == node.allocatable.end() ? Quantity() : have->second;
    const auto used = node.requested.find(name);
    if (used != node.requested.end()) left -= used->second;
    return left;
  };
  int64_t count = Times(free("pods"), Quantity::FromValue(1));
  for (const auto& entry : request) {
    if (entry.first != "pods") count = std::min(count, Times(free(entry.first), entry.second));
  }
  return count;
}

bool HoldsFor(const QuotaFacts& quota, const v1::CapacityQuestion& question,
              const Resources& request) {
  if (quota.ns != question.requirements().namespace_() || quota.selective) return false;
  return std::all_of(quota.scopes.begin(), quota.scopes.end(), [&](const std::string& scope) {
    if (scope == "BestEffort") return request.empty();
    if (scope == "NotBestEffort") return !request.empty();
    return scope == "NotTerminating";
  });
}

// How many replicas the quota still allows. It counts a resource by its own name, or as
// "requests.<name>"; pods also as "count/pods".
int64_t QuotaAllows(const QuotaFacts& quota, const Resources& request) {
  int64_t count = kMany;
  for (const auto& left : quota.left) {
    std::string_view name = left.first;
    if (name == "pods" || name == "count/pods") {
      count = std::min(count, Times(left.second, Quantity::FromValue(1)));
      continue;
    }
    constexpr std::string_view kRequests = "requests.";
    if (name.starts_with(kRequests)) name.remove_prefix(kRequests.size());
    const auto wanted = request.find(name);
    if (wanted != request.end()) count = std::min(count, Times(left.second, wanted->second));
  }
  return count;
}

}  // namespace

std::vector<QuotaFacts> ReadQuotas(const Json& list) {
  std::vector<QuotaFacts> quotas;
  const Json* items = Find(list, {"items"});
  if (items == nullptr || !items->is_array()) return quotas;
  for (const Json& item : *items) {
    QuotaFacts& quota = quotas.emplace_back();
    quota.ns = GetString(item, {"metadata", "namespace"});
    quota.name = GetString(item, {"metadata", "name"});
    quota.selective = Find(item, {"spec", "scopeSelector"}) != nullptr;
    if (const Json* scopes = Find(item, {"spec", "scopes"}); scopes && scopes->is_array()) {
      for (const Json& scope : *scopes) {
        if (scope.is_string()) quota.scopes.push_back(scope.get<std::string>());
      }
    }
    const auto read = [&](const Json* map, bool add) {
      if (map == nullptr || !map->is_object()) return;
      for (const auto& entry : map->items()) {
        if (!entry.value().is_string()) continue;
        const auto quantity = Quantity::Parse(entry.value().get_ref<const std::string&>());
        if (!quantity.ok()) continue;
        if (add) {
          quota.left[entry.key()] += *quantity;
        } else if (quota.left.contains(entry.key())) {
          quota.left[entry.key()] -= *quantity;
        }
      }
    };
    read(Find(item, {"spec", "hard"}), true);
    read(Find(item, {"status", "used"}), false);
  }
  return quotas;
}

bool NodeAccepts(const v1::CapacityQuestion& question, std::string_view name,
                 const NodeFacts& node) {
  if (!node.ready || !node.schedulable) return false;
  const v1::ReplicaRequirements& requirements = question.requirements();
  const v1::ReplicaRequirements::NodeClaim& claim = requirements.node_claim();
  for (const auto& label : claim.node_selector()) {
    const auto it = node.labels.find(label.first);
    if (it == node.labels.end() || it->second != label.second) return false;
  }
  if (!std::all_of(node.taints.begin(), node.taints.end(),
                   [&](const NodeFacts::Taint& taint) { return Tolerated(requirements, taint); })) {
    return false;
  }
  if (claim.hard_node_affinity_json().empty()) return true;
  const Json affinity = Json::parse(claim.hard_node_affinity_json(), nullptr, false);
  return !affinity.is_discarded() && AffinityMatches(affinity, std::string(name), node);
}

v1::CapacityAnswer CountFitting(const v1::CapacityQuestion& question,
                                const std::map<std::string, NodeFacts, std::less<>>& nodes,
                                const std::vector<QuotaFacts>& quotas) {
  const Resources request = RequestOf(question);
  int64_t count = 0;
  for (const auto& [name, node] : nodes) {
    if (NodeAccepts(question, name, node)) count += FitsOn(request, node);
  }
  v1::CapacityAnswer answer;
  answer.set_shape(question.shape());
  answer.set_limited_by("nodes");
  for (const QuotaFacts& quota : quotas) {
    if (!HoldsFor(quota, question, request)) continue;
    const int64_t allowed = QuotaAllows(quota, request);
    if (allowed >= count) continue;
    count = allowed;
    answer.set_limited_by(StrCat("quota ", quota.ns, "/", quota.name));
  }
  answer.set_replicas(std::min(kMany, count));
  return answer;
}

CapacityAnswers::CapacityAnswers(Env env, Bus& bus, kube::KubeClient& client,
                                 const ClusterFacts& facts, AgentMetrics& metrics)
    : env_(env),
      bus_(bus),
      client_(client),
      facts_(facts),
      metrics_(metrics),
      executor_(env.executor) {}

void CapacityAnswers::Start() {
  subscription_ =
      bus_.Subscribe(kSubject, [this](const BusMessage& message) { OnRequest(message); });
}

void CapacityAnswers::OnRequest(const BusMessage& message) {
  if (message.reply.empty()) return;
  if (env_.clock.Monotonic() - quotas_from_ < kQuotasFor) return Answer(message);
  waiting_.push_back(message);
  ListQuotas();
}

void CapacityAnswers::ListQuotas() {
  if (listing_) return;
  listing_ = true;
  kube::ResourceType type;
  type.version = "v1";
  type.kind = "ResourceQuota";
  type.plural = "resourcequotas";
  type.namespaced = true;
  type.can_list = true;
  client_.List(type, "", "", kMaxQuotas, "",
               [this, alive = executor_.alive()](const absl::Status& status, const Json* list) {
                 if (alive.expired()) return;
                 listing_ = false;
                 quotas_from_ = env_.clock.Monotonic();
                 if (status.ok()) quotas_ = ReadQuotas(*list);
                 AnswerAll();
               });
  executor_.After(kPatience, [this] { AnswerAll(); });
}

void CapacityAnswers::AnswerAll() {
  for (const BusMessage& message : std::exchange(waiting_, {})) Answer(message);
}

void CapacityAnswers::Answer(const BusMessage& message) {
  v1::CapacityRequest request;
  v1::CapacityReply reply;
  if (!request.ParseFromString(message.payload)) {
    reply.set_error("malformed request");
  } else if (!facts_.known()) {
    reply.set_error("nodes and pods have not been listed yet");
  } else {
    for (const v1::CapacityQuestion& question : request.questions()) {
      *reply.add_answers() = CountFitting(question, facts_.nodes(), quotas_);
      metrics_.capacity_answers.Increment();
    }
  }
  // An answer that gets lost is asked for again.
  bus_.Publish(message.reply, reply.SerializeAsString()).IgnoreError();
}

}  // namespace sealane::agent

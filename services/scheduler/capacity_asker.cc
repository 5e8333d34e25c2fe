#include "services/scheduler/capacity_asker.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>
#include <utility>

#include "lib/bus/subjects.h"
#include "lib/core/hash.h"
#include "lib/core/strings.h"
#include "sealane/v1/capacity.pb.h"

namespace sealane::scheduler {
namespace {

constexpr std::string_view kVerb = "capacity";
constexpr size_t kQuestionsPerMessage = 256;
constexpr size_t kMaxLimitedBy = 200;  // bytes
// A decision asks no more clusters than this: the first in the order in which they are named.
constexpr size_t kMaxAsked = 512;
constexpr size_t kMaxShapes = 4096;

v1::ReplicaRequirements RequirementsOf(const v1::Binding& binding) {
  v1::ReplicaRequirements requirements = binding.replica_requirements();
  if (requirements.namespace_().empty()) requirements.set_namespace_(binding.ref().namespace_());
  return requirements;
}

std::string Deterministic(const google::protobuf::Message& message) {
  std::string out;
  {
    google::protobuf::io::StringOutputStream stream(&out);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    message.SerializeToCodedStream(&coded);
  }
  return out;
}

}  // namespace

CapacityAsker::CapacityAsker(Env env, Bus& bus, CapacityAskerOptions options,
                             std::function<void(const std::string&)> on_ready)
    : env_(env),
      bus_(bus),
      options_(options),
      on_ready_(std::move(on_ready)),
      executor_(env.executor) {}

uint64_t CapacityAsker::ShapeOf(const v1::Binding& binding) {
  return Fnv1a64(Deterministic(RequirementsOf(binding)));
}

const AccurateAnswers& CapacityAsker::Answers(uint64_t shape) {
  Shape& known = shapes_[shape];
  known.used = env_.clock.Monotonic();
  return known.answers;
}

bool CapacityAsker::Ask(const std::string& key, const v1::Binding& binding,
                        const std::vector<std::string>& clusters) {
  Purge();
  const absl::Duration now = env_.clock.Monotonic();
  v1::CapacityQuestion question;
  question.set_shape(ShapeOf(binding));
  *question.mutable_requirements() = RequirementsOf(binding);
  const std::string text = question.SerializeAsString();
  Waiting waiting;
  for (const std::string& name : clusters) {
    if (waiting.clusters.size() == kMaxAsked) break;
    Cluster& cluster = clusters_[name];
    if (cluster.quiet_until > now) continue;
    std::set<std::string>& asking = cluster.asked[question.shape()];
    if (asking.empty()) cluster.wanted[question.shape()] = text;
    asking.insert(key);
    waiting.clusters.insert(name);
  }
  if (waiting.clusters.empty()) return false;
  Forget(key);
  waiting.timer = executor_.After(options_.wait, [this, key] {
    const auto it = waiting_.find(key);
    if (it == waiting_.end()) return;
    // Those that are late are not waited for by the next ones either.
    for (const std::string& name : it->second.clusters) {
      clusters_[name].quiet_until = env_.clock.Monotonic() + options_.quiet;
    }
    Release(key);
  });
  waiting_[key] = std::move(waiting);
  if (!std::exchange(flush_posted_, true)) {
    executor_.Post([this] {
      flush_posted_ = false;
      Flush();
    });
  }
  return true;
}

void CapacityAsker::Flush() {
  for (auto& [name, cluster] : clusters_) {
    if (!cluster.in_flight && !cluster.wanted.empty()) Send(name, cluster);
  }
}

void CapacityAsker::Send(const std::string& name, Cluster& cluster) {
  v1::CapacityRequest request;
  std::vector<uint64_t> shapes;
  while (!cluster.wanted.empty() && shapes.size() < kQuestionsPerMessage) {
    const auto first = cluster.wanted.begin();
    request.add_questions()->ParseFromString(first->second);
    shapes.push_back(first->first);
    cluster.wanted.erase(first);
  }
  cluster.in_flight = true;
  ++stats_.requests;
  // Twice the wait: an answer that is late for one decision still serves the next.
  bus_.Request(hub::Control(name, kVerb), request.SerializeAsString(), 2 * options_.wait,
               [this, alive = executor_.alive(), name, shapes,
                change = changes_[name]](const absl::StatusOr<BusMessage>& answer) {
                 if (!alive.expired()) OnAnswer(name, shapes, change, answer);
               });
}

void CapacityAsker::OnAnswer(const std::string& name, const std::vector<uint64_t>& shapes,
                             uint64_t change, const absl::StatusOr<BusMessage>& answer) {
  Cluster& cluster = clusters_[name];
  cluster.in_flight = false;
  v1::CapacityReply reply;
  if (answer.ok() && reply.ParseFromString(answer->payload) && reply.error().empty()) {
    cluster.quiet_until = absl::ZeroDuration();
    for (const v1::CapacityAnswer& one : reply.answers()) {
      // An agent's word on what it was asked, and no more of it than is shown.
      if (std::find(shapes.begin(), shapes.end(), one.shape()) == shapes.end()) continue;
      ++stats_.answers;
      // An answer that a later heartbeat has overtaken counts for those who wait, and for a moment.
      const bool fresh = change == changes_[name];
      AccurateAnswer& known = shapes_[one.shape()].answers[name];
      known.replicas = std::max<int64_t>(one.replicas(), 0);
      known.until = env_.clock.Monotonic() + (fresh ? options_.keep : options_.wait);
      known.limited_by = one.limited_by().substr(0, kMaxLimitedBy);
    }
  } else {
    ++stats_.silent;
    cluster.quiet_until = env_.clock.Monotonic() + options_.quiet;
    for (const auto& entry : std::exchange(cluster.wanted, {})) Settle(name, entry.first);
  }
  for (uint64_t shape : shapes) Settle(name, shape);
  if (!cluster.wanted.empty()) Send(name, cluster);
}

void CapacityAsker::Settle(const std::string& name, uint64_t shape) {
  Cluster& cluster = clusters_[name];
  const auto asked = cluster.asked.find(shape);
  if (asked == cluster.asked.end()) return;
  const std::set<std::string> keys = std::move(asked->second);
  cluster.asked.erase(asked);
  for (const std::string& key : keys) {
    const auto it = waiting_.find(key);
    if (it == waiting_.end()) continue;
    it->second.clusters.erase(name);
    if (it->second.clusters.empty()) Release(key);
  }
}

void CapacityAsker::Release(const std::string& key) {
  Forget(key);
  on_ready_(key);
}

void CapacityAsker::Forget(const std::string& key) {
  const auto it = waiting_.find(key);
  if (it == waiting_.end()) return;
  executor_.Cancel(it->second.timer);
  waiting_.erase(it);
}

void CapacityAsker::Changed(const std::string& cluster) {
  ++changes_[cluster];
  for (auto& entry : shapes_) entry.second.answers.erase(cluster);
}

void CapacityAsker::Purge() {
  if (shapes_.size() < kMaxShapes) return;
  // Those that nobody looked at for longest.
  std::vector<std::pair<absl::Duration, uint64_t>> by_use;
  for (const auto& entry : shapes_) by_use.emplace_back(entry.second.used, entry.first);
  std::sort(by_use.begin(), by_use.end());
  for (size_t i = 0; i < by_use.size() / 2; ++i) shapes_.erase(by_use[i].second);
}

}  // namespace sealane::scheduler

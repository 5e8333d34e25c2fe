#include "services/status/app_keeper.h"

#include <algorithm>
#include <utility>

#include "lib/bus/subjects.h"
#include "lib/core/strings.h"
#include "lib/core/time.h"
#include "sealane/v1/agent.pb.h"
#include "sealane/v1/common.pb.h"
#include "sealane/v1/tables.pb.h"
#include "services/status/rebalancer_status.h"
#include "services/status/rollout.h"
#include "services/status/work_news.h"

namespace sealane::status {
namespace {

template <typename Message>
bool Parse(std::string_view bytes, Message& message) {
  return message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

constexpr absl::Duration kRebalancerSettles = absl::Seconds(2);

// Neither up nor in trouble: more is to come by itself.
bool IsOnItsWay(const v1::AppStatus& row) {
  return row.phase() == kPending || row.phase() == kScheduled || row.phase() == kApplying;
}

}  // namespace

AppKeeper::AppKeeper(Env env, Bus& bus, const Options& options, StatusMetrics& metrics,
                     AppGauges& gauges, PublishEvent publish, WordOf word_of)
    : env_(env),
      options_(options),
      metrics_(metrics),
      gauges_(gauges),
      publish_(std::move(publish)),
      word_of_([this, word_of = std::move(word_of)](uint32_t cluster) {
        return word_of(names_.Name(cluster));
      }),
      bindings_(bus, env, kBindingsTable,
                {.store = [this](const std::string& key, std::string_view bytes,
                                 uint64_t) { return StoreBinding(key, bytes); },
                 .erase =
                     [this](const std::string& key) {
                       Drop(key, [](App& app) { app.binding.reset(); });
                     }}),
      placements_(bus, env, kPlacementsTable,
                  {.store = [this](const std::string& key, std::string_view bytes,
                                   uint64_t) { return StorePlacement(key, bytes); },
                   .erase =
                       [this](const std::string& key) {
                         Drop(key, [](App& app) { app.placement.reset(); });
                       }}),
      work_status_(bus, env, kWorkStatusTable,
                   {.store = [this](const std::string& key, std::string_view bytes,
                                    uint64_t) { return StoreWork(key, bytes); },
                    .erase = [this](const std::string& key) { EraseWork(key); }}),
      app_status_(
          bus, env, kAppStatusTable,
          {.store = [this](const std::string& key, std::string_view bytes,
                           uint64_t revision) { return StorePublished(key, bytes, revision); },
           .erase =
               [this](const std::string& key) {
                 Drop(key, [](App& app) { app.published.reset(); });
               },
           .durable =
               [this](const std::string& key, uint64_t revision) {
                 const auto it = apps_.find(key);
                 if (it != apps_.end() && it->second.published.has_value()) {
                   it->second.published->revision = revision;
                 }
               }}),
      queue_(env, {.name = "apps"}, [this](const std::string& key, KeyedQueue::Done done) {
        Reconcile(key);
        done(ReconcileResult::Done());
      }) {}

void AppKeeper::Start(std::function<void()> on_synced) {
  auto waiting = std::make_shared<int>(4);
  const auto synced = [waiting, on_synced = std::move(on_synced)] {
    if (--*waiting == 0) on_synced();
  };
  const auto touch = [this](const std::string& key) { Touch(key); };
  bindings_.Start(touch, synced);
  placements_.Start(touch, synced);
  work_status_.Start([this](const std::string& key) { Touch(SubjectAfter(key, 1)); }, synced);
  app_status_.Start(touch, synced);
}

void AppKeeper::Run() {
  running_ = true;
  app_status_.table().SetSoleWriter(true);
  for (const auto& entry : apps_) queue_.Add(entry.first);
  queue_.Start();
}

// Until Run, rows are only collected: then every one is looked at.
void AppKeeper::Touch(std::string_view row_key) {
  if (running_) queue_.Add(row_key);
}

bool AppKeeper::idle() const {
  return app_status_.table().in_flight() == 0 && (!running_ || queue_.idle());
}

void AppKeeper::SetObject(const std::string& row_key, const ObjectKey& key,
                          std::optional<ObjectFacts> object) {
  if (object.has_value()) {
    App& app = apps_[row_key];
    app.key = key;
    app.object = std::move(object);
    if (running_ && app.object->rebalancer != nullptr) {
      // It may name objects that came with it and are on their way through another table.
      queue_.AddAfter(row_key, kRebalancerSettles);
      return;
    }
  } else {
    Drop(row_key, [](App& app) { app.object.reset(); });
  }
  Touch(row_key);
}

void AppKeeper::ClusterChanged(std::string_view cluster) {
  if (!running_) return;
  const uint32_t id = names_.Id(cluster);
  for (const auto& entry : apps_) {
    const App& app = entry.second;
    const bool placed = app.placement.has_value() &&
                        std::any_of(app.placement->targets.begin(), app.placement->targets.end(),
                                    [id](const auto& target) { return target.cluster == id; });
    const bool reported = std::any_of(app.works.begin(), app.works.end(),
                                      [id](const auto& work) { return work.cluster == id; });
    if (placed || reported) queue_.Add(entry.first);
  }
}

bool AppKeeper::StoreBinding(const std::string& key, std::string_view bytes) {
  v1::Binding binding;
  if (!Parse(bytes, binding)) return false;
  apps_[key].binding = FactsOf(binding, names_);
  return true;
}

bool AppKeeper::StorePlacement(const std::string& key, std::string_view bytes) {
  v1::Placed placed;
  if (!Parse(bytes, placed)) return false;
  apps_[key].placement = FactsOf(placed, names_);
  return true;
}

bool AppKeeper::StorePublished(const std::string& key, std::string_view bytes, uint64_t revision) {
  v1::AppStatus row;
  if (!Parse(bytes, row)) return false;
  Published& published = apps_[key].published.emplace(FactsOf(row, names_));
  published.revision = revision;
  return true;
}

std::vector<WorkFacts>::iterator AppKeeper::FindWork(App& app, uint32_t cluster) {
  return std::lower_bound(app.works.begin(), app.works.end(), names_.Name(cluster),
                          [this](const WorkFacts& work, const std::string& name) {
                            return names_.Name(work.cluster) < name;
                          });
}

bool AppKeeper::StoreWork(const std::string& key, std::string_view bytes) {
  v1::WorkStatus word;
  if (!Parse(bytes, word)) return false;
  const std::string_view row_key = SubjectAfter(key, 1);
  // The account a word came from is in its subject; nobody speaks for another cluster.
  if (ClusterOfRowKey(key) != word.cluster() || RowKey(word.ref()) != row_key) {
    metrics_.words_wrong_cluster.Increment();
    return false;
  }
  const int64_t now = ToMicros(env_.clock.Now());
  const v1::ObjectRef ref = word.ref();
  const std::string trace_id = word.trace_id();
  WorkFacts facts = FactsOf(std::move(word), names_, now);
  App& app = apps_.try_emplace(std::string(row_key)).first->second;
  const auto at = FindWork(app, facts.cluster);
  const bool known = at != app.works.end() && at->cluster == facts.cluster;
  // What was said before we lead, or again after a reconnection, was news to somebody else.
  if (running_ && (!known || !IsStale(*at, facts))) {
    for (v1::Event& event : NewsOf(known ? &*at : nullptr, facts, now)) {
      *event.mutable_ref() = ref;
      event.set_cluster(names_.Name(facts.cluster));
      event.set_trace_id(trace_id);
      publish_(std::move(event));
    }
  }
  if (!known) {
    app.works.insert(at, std::move(facts));
    ++work_count_;
  } else if (IsStale(*at, facts)) {
    // The same word again is a replay, not news.
    if (facts.incarnation != at->incarnation || facts.counter != at->counter) {
      metrics_.words_stale.Increment();
    }
    return true;
  } else {
    const int64_t repairs = facts.drift_repairs - at->drift_repairs;
    if (running_ && repairs > 0) drift_repairs_[names_.Name(at->cluster)] += repairs;
    *at = std::move(facts);
  }
  metrics_.words_accepted.Increment();
  if (running_ && app.reported_micros == 0) app.reported_micros = now;
  return true;
}

void AppKeeper::EraseWork(const std::string& key) {
  const uint32_t cluster = names_.Id(ClusterOfRowKey(key));
  Drop(SubjectAfter(key, 1), [this, cluster](App& app) {
    const auto at = FindWork(app, cluster);
    if (at == app.works.end() || at->cluster != cluster) return;
    app.works.erase(at);
    --work_count_;
  });
}

void AppKeeper::Drop(std::string_view key, const std::function<void(App&)>& clear) {
  const auto it = apps_.find(key);
  if (it == apps_.end()) return;
  clear(it->second);
  if (it->second.empty()) apps_.erase(it);
}

v1::AppStatus AppKeeper::ComputeRebalancer(const App& app) const {
  return ComputeRebalancerStatus(
      {.key = app.key,
       .object = *app.object,
       .published = app.published.has_value() ? &*app.published : nullptr,
       .is_bound =
           [this](const std::string& row_key) {
             const auto it = apps_.find(row_key);
             return it != apps_.end() && it->second.binding.has_value();
           },
       .for_each_bound =
           [this](const std::function<void(const BoundObject&)>& visit) {
             for (const auto& entry : apps_) {
               const App& bound = entry.second;
               if (bound.object.has_value() && bound.binding.has_value()) {
                 visit({bound.key, *bound.object});
               }
             }
           },
       .now_micros = ToMicros(env_.clock.Now())});
}

v1::AppStatus AppKeeper::Compute(const App& app) const {
  if (app.object->rebalancer != nullptr) return ComputeRebalancer(app);
  AppInput input{.key = app.key,
                 .object = *app.object,
                 .binding = app.binding.has_value() ? &*app.binding : nullptr,
                 .placement = app.placement.has_value() ? &*app.placement : nullptr,
                 .works = {},
                 .published = app.published.has_value() ? &*app.published : nullptr,
                 .names = names_,
                 .cluster_word = word_of_,
                 .now_micros = ToMicros(env_.clock.Now())};
  input.works.reserve(app.works.size());
  for (const WorkFacts& work : app.works) input.works.push_back(&work);
  return ComputeAppStatus(input);
}

void AppKeeper::Reconcile(const std::string& row_key) {
  const auto it = apps_.find(row_key);
  if (it == apps_.end()) return;
  App& app = it->second;
  if (!app.object.has_value()) {
    if (app.published.has_value()) Remove(row_key, app);
    return;
  }
  // A row of many clusters is not written for each of their words.
  if (app.published.has_value()) {
    const absl::Duration pause =
        options_.app_interval_per_byte * static_cast<int64_t>(app.published->bytes);
    const absl::Duration wait = app.written_at + pause - env_.clock.Monotonic();
    if (wait > absl::ZeroDuration()) {
      queue_.AddAfter(row_key, wait);
      return;
    }
  }
  const v1::AppStatus row = Compute(app);
  if (app.published.has_value() && ContentHash(row) == app.published->content_hash) {
    metrics_.app_unchanged.Increment();
    if (gauges_.enabled()) gauges_.Set(row_key, row);  // the first look after a start
    app.reported_micros = 0;
    return;
  }
  // On the way to where it will stay, an object passes several states in some milliseconds. They
  // are told as one, unless they last.
  if (IsOnItsWay(row)) {
    const absl::Duration wait = app.written_at + options_.app_gather - env_.clock.Monotonic();
    if (wait > absl::ZeroDuration()) {
      queue_.AddAfter(row_key, wait);
      return;
    }
  }
  Write(row_key, app, row);
}

void AppKeeper::Write(const std::string& row_key, App& app, const v1::AppStatus& row) {
  const Published* before = app.published.has_value() ? &*app.published : nullptr;
  Measure(row_key, before, row);
  TellPhase(before, app, row);
  const uint64_t revision = app.published.has_value() ? app.published->revision : 0;
  app.published = FactsOf(row, names_);
  app.published->revision = revision;
  app.written_at = env_.clock.Monotonic();
  const int64_t reported = std::exchange(app.reported_micros, 0);
  metrics_.app_writes.Increment();
  app_status_.table().Write(
      row_key, row.SerializeAsString(), /*remove=*/false, std::nullopt,
      [this, row_key, reported](const absl::StatusOr<uint64_t>& result) {
        if (result.ok()) {
          if (reported != 0) {
            const int64_t now = ToMicros(env_.clock.Now());
            metrics_.report_to_app_status.Observe(static_cast<double>(now - reported) / 1e6);
          }
          return;
        }
        metrics_.app_write_errors.Increment();
        log_.Warn("an application's status could not be written",
                  {{"row", row_key}, {"error", result.status().ToString()}});
        queue_.AddAfter(row_key, absl::Seconds(1));
      });
}

void AppKeeper::Remove(const std::string& row_key, App& app) {
  app.published.reset();
  gauges_.Remove(row_key);
  if (app.empty()) apps_.erase(row_key);
  metrics_.app_writes.Increment();
  app_status_.table().Write(row_key, "", /*remove=*/true, std::nullopt,
                            [this, row_key](const absl::StatusOr<uint64_t>& result) {
                              if (result.ok()) return;
                              metrics_.app_write_errors.Increment();
                              queue_.AddAfter(row_key, absl::Seconds(1));
                            });
}

void AppKeeper::Measure(const std::string& row_key, const Published* before,
                        const v1::AppStatus& row) {
  for (const TakenStep& taken : NewSteps(before, row, names_)) {
    metrics_.rollout_steps[static_cast<size_t>(taken.step)]->Observe(taken.seconds);
  }
  gauges_.Set(row_key, row);
}

void AppKeeper::TellPhase(const Published* before, const App& app, const v1::AppStatus& row) {
  if (before != nullptr && before->phase == row.phase() &&
      (before->generation == row.generation() || row.phase() != kHealthy)) {
    return;
  }
  if (app.object->rebalancer != nullptr) return;  // the scheduler tells of it
  v1::Event event;
  event.set_type("Normal");
  if (row.phase() == kHealthy) {
    event.set_reason("AppHealthy");
    if (app.object->updated_micros > 0 && (before == nullptr || before->phase != kDegraded ||
                                           before->generation != row.generation())) {
      metrics_.deploy_to_healthy.Observe(
          static_cast<double>(row.updated_micros() - app.object->updated_micros) / 1e6);
    }
  } else if (row.phase() == kDegraded) {
    event.set_reason("AppDegraded");
    event.set_type("Warning");
  } else if (row.phase() == kFailed) {
    event.set_reason("AppFailed");
    event.set_type("Warning");
  } else {
    return;
  }
  *event.mutable_ref() = row.ref();
  event.set_trace_id(row.trace_id());
  event.set_message(row.message());
  publish_(std::move(event));
}

std::optional<v1::AppStatus> AppKeeper::Describe(std::string_view row_key) const {
  const auto it = apps_.find(row_key);
  if (it == apps_.end() || !it->second.object.has_value()) return std::nullopt;
  v1::AppStatus row = Compute(it->second);
  const auto& published = it->second.published;
  if (published.has_value() && ContentHash(row) == published->content_hash) {
    row.set_updated_micros(published->updated_micros);
  }
  return row;
}

void AppKeeper::ForEach(const std::function<void(const std::string& row_key, const ObjectKey& key,
                                                 const ObjectFacts& object)>& fn) const {
  for (const auto& entry : apps_) {
    if (entry.second.object.has_value()) fn(entry.first, entry.second.key, *entry.second.object);
  }
}

bool AppKeeper::Outline::PlacedIn(std::string_view cluster) const {
  return placement != nullptr &&
         std::any_of(placement->targets.begin(), placement->targets.end(),
                     [&](const auto& target) { return names.Name(target.cluster) == cluster; });
}

void AppKeeper::ForEachOutline(const std::function<void(const Outline& outline)>& fn) const {
  for (const auto& entry : apps_) {
    const App& app = entry.second;
    if (!app.object.has_value()) continue;
    fn({.row_key = entry.first,
        .key = app.key,
        .phase = app.published.has_value() ? std::string_view(app.published->phase) : kPending,
        .wanted = app.binding.has_value() ? app.binding->replicas : 0,
        .placement = app.placement.has_value() ? &*app.placement : nullptr,
        .names = names_});
  }
}

AppKeeper::Progress AppKeeper::ProgressOf(std::string_view cluster) const {
  return ProgressOf(std::vector<std::string>{std::string(cluster)}).begin()->second;
}

std::map<std::string, AppKeeper::Progress> AppKeeper::ProgressOf(
    const std::vector<std::string>& clusters) const {
  std::map<std::string, Progress> found;
  for (const std::string& cluster : clusters) found[cluster];
  if (clusters.empty()) return found;
  // By the clusters' numbers: one pass over the applications, however many clusters are asked for.
  std::vector<Progress*> by_id(names_.size(), nullptr);
  for (uint32_t id = 0; id < names_.size(); ++id) {
    const auto wanted = found.find(names_.Name(id));
    if (wanted != found.end()) by_id[id] = &wanted->second;
  }
  for (const auto& entry : apps_) {
    const App& app = entry.second;
    if (!app.object.has_value() || !app.placement.has_value()) continue;
    for (const PlacementFacts::Target& target : app.placement->targets) {
      Progress* progress = by_id[target.cluster];
      if (progress == nullptr) continue;
      ++progress->placed;
      // Nobody knows how it is now.
      if (word_of_(target.cluster).readiness != Readiness::kTrue) continue;
      for (const WorkFacts& work : app.works) {
        if (work.cluster != target.cluster || work.state != WorkFacts::State::kApplied) continue;
        if (work.object_generation < app.object->generation) continue;
        ++progress->applied;
        if (work.health == kube::Health::kHealthy) ++progress->healthy;
      }
    }
  }
  return found;
}

std::map<std::string, ClusterGauges::Works> AppKeeper::CountWorks() const {
  std::vector<ClusterGauges::Works> counts(names_.size());
  for (const auto& entry : apps_) {
    const App& app = entry.second;
    for (const WorkFacts& work : app.works) {
      ClusterGauges::Works& count = counts[work.cluster];
      if (work.state == WorkFacts::State::kApplied) ++count.applied;
      if (work.state == WorkFacts::State::kFailed) {
        ++count.failed;
        ++count.failed_by_reason[work.words != nullptr ? work.words->reason : ""];
      }
      if (work.state == WorkFacts::State::kRemoving) ++count.removing;
      if (work.health == kube::Health::kUnhealthy) ++count.unhealthy;
      count.replicas_ready += work.replicas.ready;
    }
    if (!app.placement.has_value()) continue;
    for (const PlacementFacts::Target& target : app.placement->targets) {
      counts[target.cluster].replicas_wanted += target.replicas;
    }
  }
  std::map<std::string, ClusterGauges::Works> result;
  for (size_t i = 0; i < counts.size(); ++i) {
    result[names_.Name(static_cast<uint32_t>(i))] = counts[i];
  }
  return result;
}

std::map<std::string, int64_t> AppKeeper::TakeDriftRepairs() {
  return std::exchange(drift_repairs_, {});
}

void AppKeeper::UpdateMetrics() {
  std::map<std::string, double> phases;
  for (const auto& entry : apps_) {
    if (entry.second.published.has_value()) ++phases[entry.second.published->phase];
  }
  for (const auto& entry : metrics_.apps_by_phase) entry.second->Set(phases[entry.first]);
  metrics_.works.Set(static_cast<double>(work_count_));
  metrics_.app_queue_depth.Set(static_cast<double>(queue_.stats().waiting));
  metrics_.app_queue_age.Set(absl::ToDoubleSeconds(queue_.oldest_wait()));
}

}  // namespace sealane::status

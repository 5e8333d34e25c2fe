// Applier: drift that is only reported, and fights with another writer.

#include <utility>

#include "lib/core/json.h"
#include "sealane/v1/tables.pb.h"
#include "services/agent/apply.h"
#include "services/agent/ownership.h"

namespace sealane::agent {
namespace {

constexpr size_t kMaxDifference = 2048;
// Drift that comes back sooner than this is a fight with another writer, and answered ever slower.
constexpr absl::Duration kFightWindow = absl::Seconds(30);
constexpr absl::Duration kFightDelay = absl::Milliseconds(250);
constexpr absl::Duration kFightMax = absl::Minutes(1);

}  // namespace

absl::Duration Applier::FightDelay(Item& item) const {
  const absl::Duration since = env_.clock.Monotonic() - item.last_repair;
  if (since > kFightWindow + Doubled(kFightDelay, item.repairs_in_a_row, kFightMax)) {
    item.repairs_in_a_row = 0;
  }
  if (item.repairs_in_a_row == 0) return absl::ZeroDuration();
  return Doubled(kFightDelay, item.repairs_in_a_row - 1, kFightMax) - since;
}

void Applier::ReportDrift(const std::string& key, const kube::ResourceType& type,
                          const Target& target, const std::string& body, const Done& done) {
  client_.Get(type, target.ns, target.name,
              [this, key, type, target, body, done, alive = executor_.alive()](
                  const absl::Status& status, const Json* object) {
                if (alive.expired()) return;
                if (!status.ok()) return Failed(key, status, done);
                kube::ApplyOptions options;
                options.force = true;
                options.dry_run = true;
                client_.Apply(type, target.ns, target.name, body, options,
                              [this, key, type, target, body, done, live = *object, alive](
                                  const absl::Status& tried, const Json* wanted, bool) {
                                if (alive.expired()) return;
                                Item* item = Find(key);
                                if (item == nullptr) return done(ReconcileResult::Done());
                                if (!tried.ok()) return Failed(key, tried, done);
                                const std::string text =
                                    DescribeDifference(live, *wanted, kMaxDifference);
                                if (text.empty()) return TakeBack(key, type, target, body, done);
                                if (item->reason != kDrifted || item->message != text) {
                                  metrics_.drift_reported.Increment();
                                  SetOutcome(key, *item, Outcome::kApplied, kDrifted, text);
                                }
                                done(ReconcileResult::Done());
                              });
              });
}

void Applier::TakeBack(const std::string& key, const kube::ResourceType& type, const Target& target,
                       const std::string& body, const Done& done) {
  kube::ApplyOptions options;
  options.force = true;
  client_.Apply(type, target.ns, target.name, body, options,
                [this, key, done, work = Find(key)->work, hash = Find(key)->manifest_hash,
                 alive = executor_.alive()](const absl::Status& status, const Json* object, bool) {
                  if (alive.expired()) return;
                  NoteWrite(status);
                  if (Find(key) == nullptr) return done(ReconcileResult::Done());
                  if (!status.ok()) return Failed(key, status, done);
                  Decision decision;
                  decision.exists = true;
                  OnApplied(key, work, hash, decision, *object, /*created=*/false);
                  done(ReconcileResult::Done());
                });
}

}  // namespace sealane::agent

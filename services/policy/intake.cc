#include "services/policy/intake.h"

#include <utility>
#include <vector>

#include "lib/bus/subjects.h"
#include "lib/core/hash.h"
#include "lib/core/ids.h"
#include "lib/core/json.h"
#include "lib/core/json_write.h"
#include "lib/core/time.h"
#include "lib/kube/admission.h"
#include "lib/kube/json_access.h"
#include "lib/kube/manifest.h"
#include "lib/kube/object_marks.h"
#include "lib/model/cluster_marks.h"
#include "sealane/v1/app.pb.h"
#include "services/policy/advice.h"
#include "services/policy/history.h"

namespace sealane::policy {
namespace {

void AddError(v1::OperationResult& result, std::string_view field, std::string_view reason,
              std::string_view message) {
  v1::FieldError& error = *result.add_errors();
  error.set_field(std::string(field));
  error.set_reason(std::string(reason));
  error.set_message(std::string(message));
}

bool PreconditionsHold(const v1::Precondition& wanted, const Row<v1::StoredObject>* row,
                       v1::OperationResult& result) {
  const bool exists = row != nullptr && !row->value.deleting();
  if (wanted.must_not_exist() && exists) {
    AddError(result, "", "AlreadyExists", "the object exists already");
  }
  if (wanted.must_exist() && !exists) {
    AddError(result, "", "NotFound", "the object does not exist");
  }
  if (wanted.expected_revision() != 0 &&
      (row == nullptr || row->pending || row->revision != wanted.expected_revision())) {
    AddError(result, "", "Conflict",
             StrCat("the object's revision is ", row == nullptr ? 0 : row->revision, ", not ",
                    wanted.expected_revision(), ": read it again and repeat the change"));
  }
  return result.errors().empty();
}

std::string EventError(const v1::DeployEvent& request, bool parsed) {
  if (!parsed) return "the payload is not a sealane.v1.DeployEvent";
  if (request.id().empty()) return "id is required";
  if (request.id().size() > 128) return "id is longer than 128 characters";
  if (request.operations().empty()) return "operations: at least one is required";
  return "";
}

// How a cluster leaves may be said when it is deleted, also when it is on its way out already:
// takes these annotations over. False when nothing changed.
bool MarkLeavingCluster(const Json& deletion, v1::StoredObject& cluster) {
  if (cluster.ref().kind() != "Cluster") return false;
  std::vector<std::string> marks;
  for (const std::string_view mark : {kAbandonAnnotation, kKeepWorkloadsAnnotation}) {
    const std::string name(mark);
    if (kube::GetString(deletion, {"metadata", "annotations", name}) == "true") {
      marks.push_back(name);
    }
  }
  if (marks.empty()) return false;
  Json manifest = Json::parse(cluster.manifest(), nullptr, /*allow_exceptions=*/false);
  if (!manifest.is_object()) return false;
  for (const std::string& mark : marks) manifest["metadata"]["annotations"][mark] = "true";
  std::string text = WriteJson(manifest);
  if (text == cluster.manifest()) return false;
  cluster.set_manifest_hash(Fnv1a64(text));
  cluster.set_manifest(std::move(text));
  return true;
}

// What stays of the gateway's part when somebody else writes the object: not who owns which field.
std::string WithoutOwners(const std::string& api_metadata) {
  if (api_metadata.empty()) return {};
  Json json = Json::parse(api_metadata, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("metadata")) return {};
  for (const char* field : {"managedFields", "generation"}) json["metadata"].erase(field);
  return WriteJson(json);
}

}  // namespace

Intake::Intake(Env env, Bus& bus, State& state, EventSink& events, PolicyMetrics& metrics,
               std::function<void()> on_progress)
    : env_(env),
      bus_(bus),
      state_(state),
      events_(events),
      metrics_(metrics),
      on_progress_(std::move(on_progress)),
      executor_(env.executor) {}

void Intake::Start() {
  ConsumerOptions options;
  options.stream = std::string(kDeployLog);
  options.durable = "policy";
  options.filter = "deploy.>";
  options.max_in_flight = 1024;
  options.on_bound = [this, alive = executor_.alive()](uint64_t acknowledged) {
    if (alive.expired() || acknowledged <= state_.acknowledged_sequence) return;
    state_.acknowledged_sequence = acknowledged;
    on_progress_();
  };
  consumer_ = bus_.Consume(options, [this](const Delivery& delivery) { OnDelivery(delivery); });
}

void Intake::Stop() {
  ++stops_;
  consumer_.reset();
  in_flight_.clear();  // not acknowledged: the next leader is given it again
}

void Intake::OnDelivery(const Delivery& delivery) {
  const uint64_t sequence = delivery.message.sequence;
  // A repeat of what is under way or done: the acknowledgement will come, or is repeated.
  if (!in_flight_.empty() && sequence <= in_flight_.back()->sequence) return;
  if (sequence <= state_.acknowledged_sequence) {
    consumer_->AckThrough(state_.acknowledged_sequence);
    return;
  }
  auto event = std::make_shared<InFlight>();
  event->sequence = sequence;
  event->platform = hub::PlatformOf(delivery.message.subject);
  event->attempts = delivery.attempts;
  v1::DeployEvent request;
  const bool parsed = request.ParseFromString(delivery.message.payload);
  event->result.set_event_id(request.id());
  event->result.set_trace_id(request.trace_id().empty() ? request.id() : request.trace_id());
  event->result.set_received_micros(ToMicros(env_.clock.Now()));
  metrics_.deploy_events.Increment();
  in_flight_.push_back(event);
  if (const std::string error = EventError(request, parsed); !error.empty()) {
    v1::FieldError& refused = *event->result.add_errors();
    refused.set_reason("Malformed");
    refused.set_message(error);
    metrics_.operations_refused.Increment();
  } else {
    bool all = true;
    // With all_or_nothing, a first pass that commits nothing decides.
    if (request.all_or_nothing() || request.dry_run()) {
      for (const v1::Operation& operation : request.operations()) {
        all &= Handle(event, request, operation, *event->result.add_results(), false);
      }
    }
    if (!request.dry_run() && all) {
      event->result.clear_results();
      event->admitted.clear();
      event->result.mutable_results()->Reserve(request.operations_size());
      for (const v1::Operation& operation : request.operations()) {
        v1::OperationResult& result = *event->result.add_results();
        all &= Handle(event, request, operation, result, true);
        Report(request, result);
      }
    } else if (!request.dry_run()) {
      for (v1::OperationResult& result : *event->result.mutable_results()) {
        if (result.errors().empty()) {
          AddError(result, "", "Forbidden", "refused with the others: all_or_nothing is set");
        }
        result.set_accepted(false);
        Report(request, result);
      }
    }
    event->result.set_accepted(all);
    Advise(*event);
  }
  // Answered from the executor, never inside the delivery: writes may still be on their way.
  executor_.Post([this, event] { Progress(event); });
}

void Intake::Advise(InFlight& event) const {
  std::vector<const Json*> beside;
  beside.reserve(event.admitted.size());
  for (const auto& entry : event.admitted) beside.push_back(entry.second.get());
  for (const auto& [index, manifest] : event.admitted) {
    v1::OperationResult& result = *event.result.mutable_results(index);
    if (!PolicyIndex::IsPolicy(result.object())) continue;
    for (std::string& warning : AdviseOnPolicy(state_, beside, *manifest)) {
      result.add_warnings(std::move(warning));
    }
  }
  event.admitted.clear();
}

bool Intake::Handle(const std::shared_ptr<InFlight>& event, const v1::DeployEvent& request,
                    const v1::Operation& operation, v1::OperationResult& result, bool commit) {
  result.set_source(operation.source());
  const auto manifest = std::make_shared<Json>();
  std::vector<v1::FieldError> errors;
  kube::ReadManifest(operation.manifest(), manifest.get(), &errors);
  if (manifest->is_object()) *result.mutable_object() = kube::RefOf(*manifest);
  if (operation.type() != v1::Operation::APPLY && operation.type() != v1::Operation::DELETE) {
    AddError(result, "operations.type", "NotSupported", "must be APPLY or DELETE");
  }
  for (v1::FieldError& error : errors) *result.add_errors() = std::move(error);
  if (!result.errors().empty()) return false;

  const Row<v1::StoredObject>* row = state_.objects.Find(RowKey(result.object()));
  if (row != nullptr && row->value.deploy_sequence() > event->sequence) {
    // A repeat after a crash: a later event has spoken about this object already.
    result.set_accepted(true);
    result.set_revision(row->revision);
    result.set_generation(row->value.generation());
    return true;
  }
  if (operation.has_precondition() &&
      !(row != nullptr && row->value.deploy_sequence() == event->sequence) &&
      !PreconditionsHold(operation.precondition(), row, result)) {
    return false;
  }
  if (operation.type() == v1::Operation::DELETE) {
    return Delete(event, request, *manifest, result, commit);
  }
  if (!Apply(event, request, operation, manifest, result, commit)) return false;
  event->admitted.emplace_back(event->result.results_size() - 1, manifest);
  return true;
}

bool Intake::Apply(const std::shared_ptr<InFlight>& event, const v1::DeployEvent& request,
                   const v1::Operation& operation, const std::shared_ptr<Json>& parsed,
                   v1::OperationResult& result, bool commit) {
  Json& manifest = *parsed;
  kube::Admission admission = kube::Admit(manifest);
  for (std::string& warning : admission.warnings) result.add_warnings(std::move(warning));
  std::string canonical;
  if (admission.errors.empty()) {
    canonical = kube::CanonicalManifest(manifest, &admission.errors);
  }
  for (v1::FieldError& error : admission.errors) *result.add_errors() = std::move(error);
  if (!result.errors().empty()) return false;
  const std::string key = RowKey(result.object());
  const Row<v1::StoredObject>* row = state_.objects.Find(key);
  v1::StoredObject stored;
  if (row != nullptr) stored = row->value;
  // An object that is on its way out and is applied again is another object in its place: the uid
  // is new, the generation goes on, and its works replace the ones being removed.
  const bool created = row == nullptr || row->value.deleting();
  if (created) {
    stored.set_uid(NewUuid(env_.random));
    stored.set_created_micros(ToMicros(env_.clock.Now()));
    stored.set_deleting(false);
  }
  const bool changed = created || row->value.manifest() != canonical;
  // Of an object that is made anew nothing is kept.
  std::string kept = created ? "" : WithoutOwners(stored.api_metadata());
  if (!operation.api_metadata().empty() && event->platform == kGatewayPlatform) {
    kept = operation.api_metadata();
  } else if (!changed) {
    kept = stored.api_metadata();
  }
  const bool kept_differs = kept != stored.api_metadata();
  stored.set_api_metadata(std::move(kept));
  result.set_accepted(true);
  result.set_changed(changed);
  result.set_generation(stored.generation() + (changed ? 1 : 0));
  result.set_revision(row == nullptr ? 0 : row->revision);
  if (!commit) return true;
  if (!changed) {
    // Durable once whatever wrote this value is.
    if (row->pending || kept_differs) Write(event, key, std::move(stored));
    return true;
  }
  if (!created) Keep(event, key, row->value);
  *stored.mutable_ref() = result.object();
  stored.set_generation(stored.generation() + 1);
  stored.set_manifest_hash(Fnv1a64(canonical));
  stored.set_manifest(std::move(canonical));
  stored.set_event_id(request.id());
  stored.set_trace_id(event->result.trace_id());
  stored.set_publisher(request.publisher());
  stored.set_deploy_sequence(event->sequence);
  stored.set_updated_micros(ToMicros(env_.clock.Now()));
  // Bytes that were no text were replaced in the canonical form.
  if (stored.manifest().find("\xEF\xBF\xBD") == std::string::npos) {
    state_.manifests.Put(key, stored, parsed);
  }
  Write(event, key, std::move(stored));
  return true;
}

bool Intake::Delete(const std::shared_ptr<InFlight>& event, const v1::DeployEvent& request,
                    const Json& manifest, v1::OperationResult& result, bool commit) {
  const std::string key = RowKey(result.object());
  const Row<v1::StoredObject>* row = state_.objects.Find(key);
  if (row != nullptr && !row->value.deleting() &&
      kube::IsDeletionProtected(row->value.manifest())) {
    AddError(result, StrCat("metadata.labels[", kube::kDeletionProtectedLabel, "]"), "Forbidden",
             "the object is protected from deletion; remove the label first, then delete it");
    return false;
  }
  result.set_accepted(true);
  v1::StoredObject stored;
  if (row != nullptr) stored = row->value;
  const bool marked = row != nullptr && MarkLeavingCluster(manifest, stored);
  if (row == nullptr || (row->value.deleting() && !marked)) {
    if (row == nullptr) result.add_warnings("there is no such object: nothing to delete");
    return true;
  }
  result.set_changed(true);
  result.set_generation(row->value.generation());
  result.set_revision(row->revision);
  if (!commit) return true;
  if (!row->value.deleting()) Keep(event, key, row->value);
  stored.set_deleting(true);
  stored.set_event_id(request.id());
  stored.set_trace_id(event->result.trace_id());
  stored.set_publisher(request.publisher());
  stored.set_deploy_sequence(event->sequence);
  stored.set_updated_micros(ToMicros(env_.clock.Now()));
  Write(event, key, std::move(stored));
  return true;
}

void Intake::Keep(const std::shared_ptr<InFlight>& event, const std::string& key,
                  const v1::StoredObject& replaced) {
  AppendRequest request;
  request.subject = RevisionSubject(key, replaced.generation());
  request.payload = replaced.SerializeAsString();
  ++event->waiting;
  AppendRevision(event, std::make_shared<const AppendRequest>(std::move(request)));
}

void Intake::AppendRevision(const std::shared_ptr<InFlight>& event,
                            const std::shared_ptr<const AppendRequest>& request) {
  bus_.Append(*request, [this, event, request,
                         alive = executor_.alive()](const absl::StatusOr<Appended>& appended) {
    if (alive.expired()) return;
    if (!appended.ok() && !absl::IsInvalidArgument(appended.status())) {
      executor_.After(absl::Milliseconds(200),
                      [this, event, request] { AppendRevision(event, request); });
      return;
    }
    --event->waiting;
    Progress(event);
  });
}

void Intake::Write(const std::shared_ptr<InFlight>& event, const std::string& key,
                   v1::StoredObject row) {
  ++event->waiting;
  const int index = event->result.results_size() - 1;  // of the operation being handled
  state_.objects.Put(key, std::move(row), [this, event, index](absl::StatusOr<uint64_t> revision) {
    --event->waiting;
    if (revision.ok()) {
      event->result.mutable_results(index)->set_revision(*revision);
    } else {
      log_.Warn("object not stored; the event will be delivered again",
                {{"error", std::string(ToStd(revision.status().message()))}});
      event->failed = true;
    }
    Progress(event);
  });
}

void Intake::Progress(const std::shared_ptr<InFlight>& event) {
  if (event->waiting > 0 || event->step == Step::kAnswering) return;
  if (event->failed) {
    if (in_flight_.empty()) return;  // given back already
    // Someone else wrote (a second leader), or the row cannot be stored: begin again from the last
    // acknowledged event with fresh eyes.
    Stop();
    executor_.After(absl::Seconds(1), [this, stop = stops_] {
      if (stop == stops_) Start();
    });
    return;
  }
  if (event->step == Step::kWriting) {
    event->result.set_durable_micros(ToMicros(env_.clock.Now()));
    metrics_.intake_seconds.Observe(
        static_cast<double>(event->result.durable_micros() - event->result.received_micros()) /
        1e6);
    Answer(event);
  }
  uint64_t through = 0;
  while (!in_flight_.empty() && in_flight_.front()->step == Step::kAnswered) {
    through = in_flight_.front()->sequence;
    in_flight_.pop_front();
  }
  if (through == 0) return;
  state_.acknowledged_sequence = through;
  if (consumer_ != nullptr) consumer_->AckThrough(through);
  on_progress_();
}

void Intake::Answer(const std::shared_ptr<InFlight>& event) {
  if (event->result.event_id().empty()) {  // nobody could be waiting for it
    event->step = Step::kAnswered;
    return;
  }
  event->step = Step::kAnswering;
  // Durable, so that a platform that was away can ask for it (`results`).
  AppendRequest request;
  request.subject = hub::Deployed(event->platform, event->result.event_id());
  request.payload = event->result.SerializeAsString();
  bus_.Append(std::move(request),
              [this, event, alive = executor_.alive()](const absl::StatusOr<Appended>& appended) {
                if (alive.expired()) return;
                if (!appended.ok() && !absl::IsInvalidArgument(appended.status())) {
                  executor_.After(absl::Milliseconds(200), [this, event] { Answer(event); });
                  return;
                }
                event->step = Step::kAnswered;
                Progress(event);
              });
}

void Intake::Report(const v1::DeployEvent& request, const v1::OperationResult& result) {
  (result.accepted() ? metrics_.operations_accepted : metrics_.operations_refused).Increment();
  if (result.accepted() && !result.changed()) return;
  v1::Event event;
  event.set_service("policy");
  event.set_type(result.accepted() ? "Normal" : "Warning");
  event.set_reason(result.accepted() ? "Accepted" : "Refused");
  *event.mutable_ref() = result.object();
  event.set_trace_id(request.trace_id().empty() ? request.id() : request.trace_id());
  std::string message =
      result.accepted()
          ? StrCat("generation ", result.generation(), " from ",
                   request.publisher().empty() ? "an unnamed publisher" : request.publisher())
          : "refused";
  for (const v1::FieldError& error : result.errors()) {
    message +=
        StrCat("; ", error.field().empty() ? "" : StrCat(error.field(), ": "), error.message());
  }
  event.set_message(std::move(message));
  events_.Emit(std::move(event));
}

}  // namespace sealane::policy

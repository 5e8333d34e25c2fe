// Rules of Jobs and CronJobs.

#include <algorithm>

#include "lib/core/json.h"
#include "lib/core/strings.h"
#include "lib/kubeapi/cron_schedule.h"
#include "lib/kubeapi/json_text.h"
#include "lib/kubeapi/validate_kinds.h"
#include "lib/kubeapi/validate_meta.h"

namespace sealane::kubeapi {
namespace {

void CheckIndexes(const Json& spec, const FieldPath& path, FieldErrors& errors) {
  const bool indexed = TextView(spec, "completionMode") == "Indexed";
  if (indexed && !Has(spec, "completions")) {
    errors.push_back(RequiredField(path.Text("completions"), "when completion mode is Indexed"));
  }
  for (const char* field : {"backoffLimitPerIndex", "maxFailedIndexes", "successPolicy"}) {
    if (!indexed && Has(spec, field)) {
      errors.push_back(
          InvalidField(path.Text(field), At(spec, field), "requires indexed completion mode"));
    }
  }
  if (Has(spec, "maxFailedIndexes") && !Has(spec, "backoffLimitPerIndex")) {
    errors.push_back(
        RequiredField(path.Text("backoffLimitPerIndex"), "when maxFailedIndexes is specified"));
  }
}

void CheckJobSpec(const Json& spec, const FieldPath& path, FieldErrors& errors) {
  for (const char* field :
       {"parallelism", "completions", "activeDeadlineSeconds", "backoffLimit",
        "ttlSecondsAfterFinished", "backoffLimitPerIndex", "maxFailedIndexes"}) {
    CheckNonNegative(spec, field, path, errors);
  }
  CheckOneOf(spec, "completionMode", {"NonIndexed", "Indexed"}, path, errors);
  CheckIndexes(spec, path, errors);
  const Json& pod_template = At(spec, "template");
  const FieldPath template_path = path.Child("template");
  CheckPodTemplate(pod_template, template_path, errors);
  const Json& pod = At(pod_template, "spec");
  const std::string_view policy = TextView(pod, "restartPolicy");
  if (policy.empty() || policy == "Always") {
    errors.push_back(RequiredField(template_path.Text("spec.restartPolicy"),
                                   "valid values: \"OnFailure\", \"Never\""));
  } else if (policy != "Never" && Has(spec, "podFailurePolicy")) {
    errors.push_back(
        InvalidField(template_path.Text("spec.restartPolicy"), policy,
                     "only \"Never\" is supported when podFailurePolicy is specified"));
  }
}

// A schedule, and the time zone that goes with it.
void CheckSchedule(const Json& spec, const Json& before, FieldErrors& errors) {
  const std::string_view schedule = TextView(spec, "schedule");
  const auto names_zone = [](std::string_view text) {
    return text.find("TZ") != std::string_view::npos;
  };
  if (schedule.empty()) {
    errors.push_back(RequiredField("spec.schedule"));
  } else if (names_zone(schedule)) {
    // Kubernetes once took them; what has one may keep it.
    if (!names_zone(TextView(before, "schedule"))) {
      errors.push_back(
          InvalidField("spec.schedule", schedule,
                       "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"));
    } else if (Has(spec, "timeZone")) {
      errors.push_back(
          InvalidField("spec.schedule", schedule,
                       "cannot use both timeZone field and TZ or CRON_TZ in schedule"));
    }
  } else if (const std::string why = WhyNotSchedule(schedule); !why.empty()) {
    errors.push_back(InvalidField("spec.schedule", schedule, why));
  }
  const std::string_view zone = TextView(spec, "timeZone");
  for (size_t start = 0; start <= zone.size() && !zone.empty();) {
    const size_t end = std::min(zone.find('/', start), zone.size());
    const std::string_view part = zone.substr(start, end - start);
    const bool good = !part.empty() && part.size() <= 14 && part != "." && part != ".." &&
                      part.front() != '-' &&
                      part.find_first_not_of(
                          "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                          "0123456789._-+") == std::string_view::npos;
    if (!good) {
      errors.push_back(InvalidField("spec.timeZone", zone, StrCat("unknown time zone ", zone)));
      return;
    }
    start = end + 1;
  }
  if (zone == "Local" || zone == "local") {
    errors.push_back(InvalidField("spec.timeZone", zone,
                                  "timeZone must be an explicit time zone as defined in "
                                  "https://www.iana.org/time-zones"));
  }
}

}  // namespace

void CheckJob(const Json& spec, const Json& before, FieldErrors& errors) {
  const FieldPath path("spec");
  CheckJobSpec(spec, path, errors);
  CheckLabelSelector(At(spec, "selector"), path.Child("selector"), errors);
  if (before.is_null()) return;
  for (const char* field : {"selector", "completionMode", "podFailurePolicy", "successPolicy",
                            "backoffLimitPerIndex"}) {
    CheckImmutable(spec, before, field, path, errors);
  }
  // The number of indexes follows the number of pods.
  if (TextView(spec, "completionMode") != "Indexed") {
    CheckImmutable(spec, before, "completions", path, errors);
  } else if (At(spec, "completions") != At(before, "completions") &&
             At(spec, "completions") != At(spec, "parallelism")) {
    errors.push_back(InvalidField("spec.completions", At(spec, "completions"),
                                  "can only be modified in tandem with spec.parallelism"));
  }
  // While a Job is suspended, it may still be told where its pods shall run and what they need.
  if (BoolAt(before, "suspend")) return;
  CheckImmutable(spec, before, "template", path, errors);
  CheckImmutable(spec, before, "managedBy", path, errors);
}

void CheckCronJob(const Json& object, const Json& before, FieldErrors& errors) {
  const FieldPath path("spec");
  const Json& spec = At(object, "spec");
  // Names of its Jobs have eleven characters more.
  const std::string_view name = TextView(At(object, "metadata"), "name");
  if (before.is_null() && name.size() > 52) {
    errors.push_back(InvalidField("metadata.name", name, "must be no more than 52 characters"));
  }
  CheckSchedule(spec, At(before, "spec"), errors);
  CheckOneOf(spec, "concurrencyPolicy", {"Allow", "Forbid", "Replace"}, path, errors);
  for (const char* field :
       {"startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"}) {
    CheckNonNegative(spec, field, path, errors);
  }
  const Json& job = At(At(spec, "jobTemplate"), "spec");
  const FieldPath job_path = path.Child("jobTemplate.spec");
  CheckJobSpec(job, job_path, errors);
  if (Has(job, "selector")) {
    errors.push_back(InvalidField(job_path.Text("selector"), At(job, "selector"),
                                  "`selector` will be auto-generated"));
  }
  if (BoolAt(job, "manualSelector")) {
    errors.push_back(UnsupportedField(job_path.Text("manualSelector"), true, {"nil", "false"}));
  }
}

}  // namespace sealane::kubeapi

#include "tools/sealane/deploy_plan.h"

#include "lib/core/status.h"
#include "lib/core/strings.h"

namespace sealane::cli {

absl::StatusOr<std::vector<v1::DeployEvent>> PlanDeploy(const std::vector<Document>& documents,
                                                        const DeployPlanOptions& options) {
  std::vector<v1::DeployEvent> events;
  size_t bytes = 0;
  for (const Document& document : documents) {
    v1::Operation operation;
    operation.set_type(options.deleting ? v1::Operation::DELETE : v1::Operation::APPLY);
    operation.set_manifest(document.text);
    operation.set_source(document.source);
    const size_t size = operation.ByteSizeLong() + 16;
    if (size > options.max_event_bytes) {
      return InvalidArgument(StrCat(document.source, ": TooLong: the manifest has ",
                                    document.text.size(), " bytes; at most ", 768 * 1024,
                                    " are accepted"));
    }
    if (events.empty() || bytes + size > options.max_event_bytes) {
      v1::DeployEvent& event = events.emplace_back();
      event.set_publisher(options.publisher);
      event.set_dry_run(options.dry_run);
      event.set_all_or_nothing(options.all_or_nothing);
      bytes = 0;
    }
    bytes += size;
    *events.back().add_operations() = std::move(operation);
  }
  if (options.all_or_nothing && events.size() > 1) {
    return InvalidArgument(
        StrCat("--all-or-nothing: the input needs ", events.size(),
               " events, and only one event is all or nothing; give less at once"));
  }
  return events;
}

}  // namespace sealane::cli

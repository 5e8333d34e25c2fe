// The answer to a deploy event, for people.
#include "lib/core/strings.h"
#include "tools/sealane/views.h"

namespace sealane::cli {
namespace {

std::string_view Outcome(const v1::OperationResult& result, bool deleting) {
  if (!result.accepted()) return "refused";
  if (!result.changed()) return "unchanged";
  if (deleting) return "deleted";
  return result.generation() <= 1 ? "created" : "configured";
}

std::string FormatFieldError(const v1::FieldError& error, const Style& style) {
  std::string line = "    ";
  if (!error.field().empty()) line.append(style.Bold(error.field())).append(": ");
  line.append(style.Red(error.reason()));
  if (!error.message().empty()) line.append(": ").append(error.message());
  line.push_back('\n');
  return line;
}

}  // namespace

std::string FormatDeployResult(const v1::DeployResult& result, bool deleting, bool dry_run,
                               const Style& style) {
  std::string out;
  for (const v1::FieldError& error : result.errors()) {
    out.append("the whole event was refused:\n").append(FormatFieldError(error, style));
  }
  for (const v1::OperationResult& operation : result.results()) {
    const std::string name =
        operation.object().kind().empty() ? "unnamed object" : FormatRef(operation.object());
    out.append(name).append("  ").append(style.Word(Outcome(operation, deleting)));
    if (dry_run && operation.accepted()) out.append(" (dry run)");
    if (!operation.accepted() && !operation.source().empty()) {
      out.append("  in ").append(operation.source());
    }
    out.push_back('\n');
    for (const v1::FieldError& error : operation.errors()) {
      out.append(FormatFieldError(error, style));
    }
    for (const std::string& warning : operation.warnings()) {
      out.append("    warning: ").append(warning).append("\n");
    }
  }
  return out;
}

std::string FormatValidation(const v1::DeployResult& result, const Style& style) {
  std::string out;
  int refused = 0;
  for (const v1::OperationResult& document : result.results()) {
    out.append(document.source()).append("  ");
    if (!document.object().kind().empty()) out.append(FormatRef(document.object())).append("  ");
    out.append(style.Word(document.accepted() ? "ok" : "refused")).append("\n");
    for (const v1::FieldError& error : document.errors()) {
      out.append(FormatFieldError(error, style));
    }
    for (const std::string& warning : document.warnings()) {
      out.append("    warning: ").append(warning).append("\n");
    }
    if (!document.accepted()) ++refused;
  }
  const int all = result.results_size();
  return out.append(
      StrCat(all, all == 1 ? " document" : " documents", ", ", refused, " refused\n"));
}

}  // namespace sealane::cli

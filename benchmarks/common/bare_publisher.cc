#include "benchmarks/common/bare_publisher.h"

#include <nats/nats.h>

#include <algorithm>
#include <memory>
#include <string>

#include "lib/core/status.h"
#include "lib/core/strings.h"

namespace sealane::bench {
namespace {

absl::Status Check(natsStatus status, std::string_view what) {
  if (status == NATS_OK) return absl::OkStatus();
  return Unavailable(StrCat(what, ": ", natsStatus_GetText(status)));
}

}  // namespace

absl::StatusOr<BareResult> PublishBare(const BareOptions& options, Clock& clock) {
  natsConnection* raw_connection = nullptr;
  SEALANE_RETURN_IF_ERROR(
      Check(natsConnection_ConnectTo(&raw_connection, options.url.c_str()), "connect"));
  const std::unique_ptr<natsConnection, decltype(&natsConnection_Destroy)> connection(
      raw_connection, &natsConnection_Destroy);
  jsOptions js_options;
  jsOptions_Init(&js_options);
  js_options.PublishAsync.MaxPending = options.max_pending;
  jsCtx* raw_js = nullptr;
  SEALANE_RETURN_IF_ERROR(
      Check(natsConnection_JetStream(&raw_js, connection.get(), &js_options), "JetStream"));
  const std::unique_ptr<jsCtx, decltype(&jsCtx_Destroy)> js(raw_js, &jsCtx_Destroy);

  const std::string subjects = StrCat(options.stream, ".>");
  const char* subject_list[] = {subjects.c_str()};
  jsStreamConfig config;
  jsStreamConfig_Init(&config);
  config.Name = options.stream.c_str();
  config.Subjects = subject_list;
  config.SubjectsLen = 1;
  config.MaxMsgsPerSubject = 1;
  config.Discard = js_DiscardNew;
  config.Storage = js_FileStorage;
  config.AllowRollup = true;
  config.AllowDirect = true;
  SEALANE_RETURN_IF_ERROR(
      Check(js_AddStream(nullptr, js.get(), &config, nullptr, nullptr), "create stream"));

  // Content that does not compress to nothing, as real rows do not.
  std::string content(1 << 20, '\0');
  uint64_t state = 88172645463325252ULL;
  for (char& c : content) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    c = static_cast<char>('!' + state % 90);
  }
  BareResult result;
  absl::Status status;
  const absl::Duration start = clock.Monotonic();
  for (const uint32_t wanted : options.payload_sizes) {
    const auto size = std::min<size_t>(wanted, content.size());
    const std::string subject = StrCat(options.stream, ".c", result.messages % 16,
                                       ".apps.Deployment.bench.app-", result.messages);
    status = Check(
        js_PublishAsync(js.get(), subject.c_str(), content.data(), static_cast<int>(size), nullptr),
        "publish");
    if (!status.ok()) break;
    ++result.messages;
    result.bytes += size;
  }
  if (status.ok()) {
    jsPubOptions wait;
    jsPubOptions_Init(&wait);
    wait.MaxWait = 60'000;
    status = Check(js_PublishAsyncComplete(js.get(), &wait), "acknowledgements");
  }
  result.seconds = absl::ToDoubleSeconds(clock.Monotonic() - start);
  jsStreamInfo* info = nullptr;
  if (status.ok() &&
      js_GetStreamInfo(&info, js.get(), options.stream.c_str(), nullptr, nullptr) == NATS_OK) {
    if (info->State.Msgs != result.messages) {
      status = Internal(StrCat("the reference stream holds ", info->State.Msgs, " of ",
                               result.messages, " messages"));
    }
    jsStreamInfo_Destroy(info);
  }
  js_DeleteStream(js.get(), options.stream.c_str(), nullptr, nullptr);
  SEALANE_RETURN_IF_ERROR(status);
  return result;
}

}  // namespace sealane::bench

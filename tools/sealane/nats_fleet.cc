// Connecting to a real bus.
#include <memory>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"
#include "lib/bus/nats_bus.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "tools/sealane/bus_fleet.h"

namespace sealane::cli {

namespace {

NatsOptions NatsOptionsOf(const Context& context) {
  NatsOptions options;
  options.urls.clear();
  for (const absl::string_view url : absl::StrSplit(context.url, ',', absl::SkipWhitespace())) {
    options.urls.emplace_back(absl::StripAsciiWhitespace(url));
  }
  options.user = context.user;
  options.password = context.password;
  options.creds_file = context.creds_file;
  options.tls_ca_file = context.ca_file;
  options.name = "sealane";
  return options;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Fleet>> ConnectFleet(const Context& context,
                                                    absl::Duration timeout) {
  // The last thing the client complained about; written and read on the connection's thread.
  const auto complaint = std::make_shared<std::string>();
  const BusFleet::BusMaker make = [&](Env env) -> absl::StatusOr<std::unique_ptr<Bus>> {
    NatsOptions options = NatsOptionsOf(context);
    options.on_error = [complaint](std::string_view what) { *complaint = std::string(what); };
    SEALANE_ASSIGN_OR_RETURN(std::unique_ptr<Bus> bus, NatsBus::Create(env, std::move(options)));
    return bus;
  };
  return BusFleet::Connect(make, timeout, {}, [&context, complaint] {
    return StrCat(context.url, complaint->empty() ? "" : StrCat(" (", *complaint, ")"),
                  "; is nats-server running there, and is ",
                  context.creds_file.empty() ? StrCat("the password of user \"", context.user, "\"")
                                             : context.creds_file,
                  " right?");
  });
}

}  // namespace sealane::cli

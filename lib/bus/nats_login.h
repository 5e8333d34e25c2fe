#pragma once

#include <functional>
#include <string>

#include "lib/bus/nats_bus.h"
#include "lib/core/env.h"
#include "lib/core/scoped_executor.h"

namespace sealane {

// INVALID_ARGUMENT names the option: a file that cannot be read, one of a pair without the other.
[[nodiscard]] absl::Status CheckNatsOptions(const NatsOptions& options);

// The options with user and password as their files have them now; what cannot be read stays.
// Thread rule: any thread.
[[nodiscard]] NatsOptions WithLoginOfFiles(NatsOptions options);

// Who the login is, as the server names it: the user, or the name in the credentials' JWT; "" when
// there is none or it cannot be read.
[[nodiscard]] std::string LoginName(const NatsOptions& options);

// Tells when the files that the login comes from have other contents: a rotated password,
// credentials file or certificate. A file that cannot be read (it is being replaced) is looked at
// again the next time. Thread rule: of the executor.
class LoginWatch {
 public:
  LoginWatch(Env env, const NatsOptions& options, std::function<void()> changed);

 private:
  void Look();
  [[nodiscard]] std::string Contents() const;  // "" when one cannot be read

  const NatsOptions options_;
  const std::function<void()> changed_;
  std::string contents_;
  ScopedExecutor executor_;
};

}  // namespace sealane

#pragma once

#include <array>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace sealane::agent {

// What must be in a cluster before what. kNamespace first.
enum class ApplyStage {
  kNamespace,
  kDefinition,  // definitions, classes and limits
  kConfig,      // accounts, rights, configuration, claims, services
  kWorkload,    // everything else
  kWebhook,     // last, so that they do not refuse what comes with them
};
inline constexpr int kApplyStages = 5;

// The order of applying: smaller first. Within a stage, what others are likely to name comes first.
// `kind` and `group` as in ObjectKey.
[[nodiscard]] int ApplyRank(std::string_view group, std::string_view kind);
[[nodiscard]] ApplyStage StageOf(std::string_view group, std::string_view kind);

// Which works wait for which: one waits while another of an earlier stage, of its own namespace or
// of none, is about to be tried for the first time since it changed. It waits for that one attempt
// only, whatever comes of it: nothing waits for readiness, and nothing waits for what fails.
// A Namespace counts as part of itself.
//
// Not thread-safe.
class ApplyOrder {
 public:
  // The work is about to be tried; until Tried, others wait for it.
  void Expect(const std::string& key, std::string_view group, std::string_view kind,
              std::string_view ns, std::string_view name);
  // It was tried, or will not be. Gives the works that waited and may go on.
  [[nodiscard]] std::vector<std::string> Tried(const std::string& key);
  // True when the work must wait; then a later Tried gives it.
  [[nodiscard]] bool Waits(const std::string& key, std::string_view group, std::string_view kind,
                           std::string_view ns, std::string_view name);
  // The works that are about to be tried.
  [[nodiscard]] std::vector<std::string> expected() const;

 private:
  struct Place {
    std::string scope;  // namespace; "": none
    ApplyStage stage = ApplyStage::kNamespace;
  };
  static Place PlaceOf(std::string_view group, std::string_view kind, std::string_view ns,
                       std::string_view name);

  std::map<std::string, std::array<int, kApplyStages>, std::less<>> expected_;  // by scope
  std::map<std::string, Place, std::less<>> places_;  // of the expected works
  // By the scope that holds them up.
  std::map<std::string, std::set<std::string>, std::less<>> waiting_;
};

}  // namespace sealane::agent

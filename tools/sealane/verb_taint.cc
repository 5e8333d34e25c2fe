// sealane cordon, uncordon, drain, taint: who may run in a cluster.
#include <algorithm>
#include <optional>

#include "absl/strings/str_split.h"
#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/model/cluster_marks.h"
#include "lib/model/label_syntax.h"
#include "tools/sealane/cluster_change.h"
#include "tools/sealane/command.h"
#include "tools/sealane/object_change.h"
#include "tools/sealane/views.h"

namespace sealane::cli {
namespace {

constexpr absl::Duration kLookAtChange = absl::Milliseconds(500);
constexpr int kShownObjects = 20;

struct Taint {
  std::string key;
  std::string value;
  std::string effect;  // of one to be removed: "" is every effect
  bool remove = false;
};

// "key=value:Effect", "key:Effect", "key:Effect-", "key-".
absl::StatusOr<Taint> ParseTaint(std::string_view text) {
  const auto wrong = [&](std::string_view why) {
    return InvalidArgument(StrCat(
        "\"", text, "\": ", why, "; a taint is KEY[=VALUE]:EFFECT, or KEY[:EFFECT]- to remove it"));
  };
  Taint taint;
  std::string_view rest = text;
  if (rest.ends_with('-')) {
    taint.remove = true;
    rest.remove_suffix(1);
  }
  if (const size_t colon = rest.rfind(':'); colon != std::string_view::npos) {
    taint.effect = std::string(rest.substr(colon + 1));
    rest = rest.substr(0, colon);
    if (taint.effect != "NoSchedule" && taint.effect != "PreferNoSchedule" &&
        taint.effect != "NoExecute") {
      return wrong(StrCat("the effect is NoSchedule, PreferNoSchedule or NoExecute, not \"",
                          taint.effect, "\""));
    }
  } else if (!taint.remove) {
    return wrong("the effect is missing");
  }
  if (const size_t equals = rest.find('='); equals != std::string_view::npos) {
    taint.value = std::string(rest.substr(equals + 1));
    rest = rest.substr(0, equals);
    if (const std::string problem = CheckLabelValue(taint.value); !problem.empty()) {
      return wrong(StrCat("value: ", problem));
    }
  }
  taint.key = std::string(rest);
  if (const std::string problem = CheckLabelKey(taint.key); !problem.empty()) {
    return wrong(StrCat("key: ", problem));
  }
  return taint;
}

bool Is(const Json& taint, const std::string& key, const std::string& effect) {
  return taint.is_object() && taint.value("key", "") == key &&
         (effect.empty() || taint.value("effect", "") == effect);
}

// False when nothing differs.
bool Set(const std::vector<Taint>& taints, Json& manifest) {
  const Json before = manifest;
  Json& list = manifest["spec"]["taints"];
  if (!list.is_array()) list = Json::array();
  for (const Taint& taint : taints) {
    const auto same = std::find_if(list.begin(), list.end(), [&](const Json& known) {
      return Is(known, taint.key, taint.effect);
    });
    if (!taint.remove) {
      Json wanted = {{"key", taint.key}, {"effect", taint.effect}};
      if (!taint.value.empty()) wanted["value"] = taint.value;
      if (same == list.end()) {
        list.push_back(std::move(wanted));
      } else if (same->value("value", "") != taint.value) {
        *same = std::move(wanted);
      }
      continue;
    }
    Json kept = Json::array();
    for (Json& known : list) {
      if (!Is(known, taint.key, taint.effect)) kept.push_back(std::move(known));
    }
    list = std::move(kept);
  }
  if (list.empty()) manifest["spec"].erase("taints");
  return manifest != before;
}

absl::StatusOr<std::string> OneCluster(const Args& args) {
  if (args.positional().size() != 1) {
    return InvalidArgument("give one cluster; `sealane get clusters` lists them");
  }
  return args.positional()[0];
}

absl::Status ChangeTaints(const Invocation& invocation, Fleet& fleet, const std::string& cluster,
                          const std::vector<Taint>& taints, std::string_view done) {
  SEALANE_ASSIGN_OR_RETURN(const absl::Duration timeout, Timeout(invocation.args));
  SEALANE_ASSIGN_OR_RETURN(const bool changed,
                           ChangeCluster(fleet, cluster, Publisher(invocation), timeout,
                                         [&](Json& manifest) { return Set(taints, manifest); }));
  invocation.terminal.out << "cluster " << cluster << " "
                          << (changed ? done : "is as it was: nothing to do") << "\n";
  return absl::OkStatus();
}

int ChangeOne(const Invocation& invocation, const std::vector<Taint>& taints,
              std::string_view done) {
  const auto cluster = OneCluster(invocation.args);
  if (!cluster.ok()) return Fail(invocation.terminal, cluster.status());
  const auto fleet = Connect(invocation);
  if (!fleet.ok()) return Fail(invocation.terminal, fleet.status());
  const absl::Status status = ChangeTaints(invocation, **fleet, *cluster, taints, done);
  return status.ok() ? kOk : Fail(invocation.terminal, status);
}

Taint Cordon(bool remove) { return {std::string(kCordonTaint), "", "NoSchedule", remove}; }
Taint Drain(bool remove) { return {std::string(kDrainTaint), "", "NoExecute", remove}; }

int RunCordon(const Invocation& invocation) {
  return ChangeOne(invocation, {Cordon(false)}, "cordoned: nothing new comes");
}

int RunUncordon(const Invocation& invocation) {
  return ChangeOne(invocation, {Cordon(true), Drain(true)}, "uncordoned");
}

int RunTaint(const Invocation& invocation) {
  const std::vector<std::string>& words = invocation.args.positional();
  Terminal& terminal = invocation.terminal;
  if (words.size() < 2) {
    return Fail(terminal, InvalidArgument("give a cluster and at least one taint"));
  }
  std::vector<Taint> taints;
  for (size_t i = 1; i < words.size(); ++i) {
    auto taint = ParseTaint(words[i]);
    if (!taint.ok()) return Fail(terminal, taint.status());
    taints.push_back(*std::move(taint));
  }
  const auto fleet = Connect(invocation);
  if (!fleet.ok()) return Fail(terminal, fleet.status());
  const absl::Status status = ChangeTaints(invocation, **fleet, words[0], taints, "tainted");
  return status.ok() ? kOk : Fail(terminal, status);
}

// --- Draining ------------------------------------------------------------------------------------

// Placements in the cluster that are to leave it: what tolerates the drain, and namespaces, stay.
// `total`: of all that are placed there.
absl::StatusOr<std::vector<v1::Placed>> Left(Fleet& fleet, const std::string& cluster,
                                             absl::Duration timeout, int* total) {
  v1::QueryRequest request;
  request.set_what("placements");
  request.set_cluster(cluster);
  SEALANE_ASSIGN_OR_RETURN(const v1::QueryReply reply, fleet.Query("scheduler", request, timeout));
  *total = reply.placements_size();
  std::vector<v1::Placed> left;
  for (const v1::Placed& placed : reply.placements()) {
    const bool leaving =
        std::any_of(placed.evictions().begin(), placed.evictions().end(),
                    [&](const v1::Eviction& eviction) { return eviction.cluster() == cluster; });
    if (leaving) left.push_back(placed);
  }
  return left;
}

std::string WhyStill(const v1::Placed& placed, const std::string& cluster) {
  for (const v1::Eviction& eviction : placed.evictions()) {
    if (eviction.cluster() != cluster || eviction.replaced_by().empty()) continue;
    const std::vector<std::string> names(eviction.replaced_by().begin(),
                                         eviction.replaced_by().end());
    return StrCat("waits until it is healthy in ", StrJoin(names, ", "));
  }
  return placed.message();
}

absl::Status DrainCluster(const Invocation& invocation, bool* drained) {
  Terminal& terminal = invocation.terminal;
  SEALANE_ASSIGN_OR_RETURN(const std::string cluster, OneCluster(invocation.args));
  SEALANE_ASSIGN_OR_RETURN(const absl::Duration timeout, Timeout(invocation.args));
  SEALANE_ASSIGN_OR_RETURN(const auto fleet, Connect(invocation));
  SEALANE_RETURN_IF_ERROR(ChangeTaints(invocation, *fleet, cluster, {Cordon(false), Drain(false)},
                                       "is drained: its applications move away first"));
  *drained = true;
  if (invocation.args.Has("no-wait")) return absl::OkStatus();
  const int64_t until = fleet->NowMicros() + absl::ToInt64Microseconds(timeout);
  std::optional<size_t> told;
  int quiet = 0;
  int total = 0;
  while (true) {
    // Several looks without a change: the taint takes a moment on its way, and not everything
    // leaves at once.
    (void)fleet->Follow(
        "events.>", kLookAtChange, [] { return true; },
        [](std::string_view, std::string_view) { return true; });
    int now = 0;
    SEALANE_ASSIGN_OR_RETURN(const std::vector<v1::Placed> left,
                             Left(*fleet, cluster, timeout, &now));
    quiet = left.empty() && now == total ? quiet + 1 : 0;
    total = now;
    if (quiet > 3) break;
    if (!left.empty() && told != left.size()) {
      terminal.out << left.size() << " objects have still to leave\n";
      terminal.out.flush();
      told = left.size();
    }
    if (fleet->NowMicros() < until) continue;
    *drained = left.empty();
    for (size_t i = 0; i < left.size() && i < kShownObjects; ++i) {
      terminal.err << FormatRef(left[i].ref()) << ": " << WhyStill(left[i], cluster) << "\n";
    }
    if (left.size() > kShownObjects)
      terminal.err << "and " << left.size() - kShownObjects << " more\n";
    if (left.empty()) break;
    terminal.err << terminal.style.Red("error:") << " not empty after "
                 << absl::FormatDuration(timeout) << "; it goes on, `sealane uncordon " << cluster
                 << "` ends it\n";
    return absl::OkStatus();
  }
  terminal.out << "everything that has to leave " << cluster << " runs elsewhere\n";
  return absl::OkStatus();
}

int RunDrain(const Invocation& invocation) {
  bool drained = false;
  const absl::Status status = DrainCluster(invocation, &drained);
  if (!status.ok()) return Fail(invocation.terminal, status);
  return drained ? kOk : kNotHealthy;
}

}  // namespace

Command CordonCommand() {
  return {"cordon",
          "CLUSTER",
          "Let nothing new come to a cluster",
          "What runs there stays. Sets the taint cluster.karmada.io/unschedulable:NoSchedule.\n\n"
          "  sealane cordon aws-virginia\n",
          {},
          true,
          RunCordon};
}

Command UncordonCommand() {
  return {"uncordon",
          "CLUSTER",
          "End cordon and drain of a cluster",
          "What has moved away returns only when its policy says so (sealane.io/failback).\n\n"
          "  sealane uncordon aws-virginia\n",
          {},
          true,
          RunUncordon};
}

Command DrainCommand() {
  return {"drain",
          "CLUSTER",
          "Move everything away from a cluster, without a gap",
          "Cordons it, and sets the taint sealane.io/drain:NoExecute. An object leaves when its\n"
          "replacement is healthy, whatever its policy's purgeMode says; what fits nowhere else\n"
          "stays and is listed after --timeout. What tolerates the taint, and namespaces, stay.\n\n"
          "  sealane drain aws-virginia --timeout 15m\n",
          {{"no-wait", 0, "", "only begin"}},
          true,
          RunDrain};
}

Command TaintCommand() {
  return {
      "taint",
      "CLUSTER KEY[=VALUE]:EFFECT|KEY[:EFFECT]- ...",
      "Set and remove taints of a cluster",
      "NoSchedule keeps new objects away that do not tolerate it, NoExecute moves them away.\n\n"
      "  sealane taint aws-virginia maintenance=tonight:NoSchedule\n"
      "  sealane taint aws-virginia maintenance-\n",
      {},
      true,
      RunTaint};
}

}  // namespace sealane::cli

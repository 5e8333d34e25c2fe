#include "lib/model/toleration.h"

#include "lib/core/strings.h"
#include "sealane/v1/cluster.pb.h"
#include "sealane/v1/placement.pb.h"

namespace sealane {

bool Tolerates(const v1::Toleration& toleration, const v1::Taint& taint) {
  if (!toleration.effect().empty() && toleration.effect() != taint.effect()) return false;
  if (!toleration.key().empty() && toleration.key() != taint.key()) return false;
  const std::string& op = toleration.operator_();
  if (op.empty() || op == "Equal") return toleration.value() == taint.value();
  return op == "Exists";
}

bool TaintIsTolerated(const google::protobuf::RepeatedPtrField<v1::Toleration>& tolerations,
                      const v1::Taint& taint) {
  for (const v1::Toleration& toleration : tolerations) {
    if (Tolerates(toleration, taint)) return true;
  }
  return false;
}

bool TaintForbidsScheduling(const v1::Taint& taint) {
  return taint.effect() == "NoSchedule" || taint.effect() == "NoExecute";
}

std::string Describe(const v1::Taint& taint) {
  std::string out = taint.key();
  if (!taint.value().empty()) out += StrCat("=", taint.value());
  if (!taint.effect().empty()) out += StrCat(":", taint.effect());
  return out;
}

}  // namespace sealane

#pragma once

#include <google/protobuf/repeated_ptr_field.h>

#include <string>

namespace sealane {

namespace v1 {
class Taint;
class Toleration;
}  // namespace v1

// Whether the toleration covers the taint, as Kubernetes decides it: an empty effect covers every
// effect, an empty key every key; operator Exists, or Equal (the default) with an equal value.
[[nodiscard]] bool Tolerates(const v1::Toleration& toleration, const v1::Taint& taint);

// Whether any of the tolerations covers the taint.
[[nodiscard]] bool TaintIsTolerated(
    const google::protobuf::RepeatedPtrField<v1::Toleration>& tolerations, const v1::Taint& taint);

// NoSchedule and NoExecute keep new work away; PreferNoSchedule does not.
[[nodiscard]] bool TaintForbidsScheduling(const v1::Taint& taint);

// "key=value:effect", "key:effect" without a value.
[[nodiscard]] std::string Describe(const v1::Taint& taint);

}  // namespace sealane

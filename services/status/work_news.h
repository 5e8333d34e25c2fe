#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sealane/v1/app.pb.h"
#include "services/status/app_facts.h"

namespace sealane::status {

// What a cluster's new word on a work tells that people want to read as an event. Agents write
// nothing but their words, so the status service tells it for them. Pure.
//
//   ApplyFailed, Conflict (Warning)  the object could not be applied, and why; told again when the
//                                    reason, the message or the generation changes
//   DriftFound (Warning)             somebody changed the object; `sealane.io/drift: Report`
//   DriftRepaired (Normal)           somebody changed the object, and it was put right; a work that
//                                    drifts all the time is told of once a minute, with the number
//
// `before`: the cluster's last word on it; nullptr: none. Keeps in `now` what has been told.
[[nodiscard]] std::vector<v1::Event> NewsOf(const WorkFacts* before, WorkFacts& now,
                                            int64_t now_micros);

}  // namespace sealane::status

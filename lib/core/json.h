#pragma once

// The heavy JSON header: include it in .cc files only.
#include <nlohmann/json.hpp>

#include "lib/core/json_fwd.h"

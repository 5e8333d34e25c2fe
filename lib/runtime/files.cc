#include "lib/runtime/files.h"

#include <cstdio>
#include <fstream>

#include "lib/core/status.h"
#include "lib/core/strings.h"

namespace sealane {

absl::Status WriteFileAtomically(const std::string& path, std::string_view text) {
  const std::string temporary = StrCat(path, ".tmp");
  std::ofstream file(temporary, std::ios::trunc);
  file << text;
  file.close();
  if (!file || std::rename(temporary.c_str(), path.c_str()) != 0) {
    return Unavailable(StrCat("cannot write ", path));
  }
  return absl::OkStatus();
}

}  // namespace sealane

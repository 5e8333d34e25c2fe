#pragma once

#include <string>
#include <string_view>

namespace sealane::status {

// One file of the page, as it was when the program was built.
struct StaticFile {
  std::string_view content_type;
  std::string_view body;
  std::string etag;  // with its quotes; another body has another one
};

// The file at the (decoded) path of a URL, "/" and "/style.css"; nullptr when there is none. Any
// thread; the answer lives as long as the program.
[[nodiscard]] const StaticFile* FindStaticFile(std::string_view path);

}  // namespace sealane::status

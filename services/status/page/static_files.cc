#include "services/status/page/static_files.h"

#include <map>

#include "lib/core/hash.h"
#include "lib/core/strings.h"

// Defined in embed.S, which CMake writes from the same list.
#define SEALANE_PAGE_FILE(name)                    \
  extern "C" {                                     \
  extern const char sealane_page_##name##_begin[]; \
  extern const char sealane_page_##name##_end[];   \
  }
SEALANE_PAGE_FILE(index_html)
SEALANE_PAGE_FILE(style_css)
SEALANE_PAGE_FILE(favicon_svg)
SEALANE_PAGE_FILE(main_js)
SEALANE_PAGE_FILE(api_js)
SEALANE_PAGE_FILE(dom_js)
SEALANE_PAGE_FILE(format_js)
SEALANE_PAGE_FILE(overview_js)
SEALANE_PAGE_FILE(detail_js)
SEALANE_PAGE_FILE(events_js)
#undef SEALANE_PAGE_FILE

namespace sealane::status {
namespace {

constexpr std::string_view kHtml = "text/html; charset=utf-8";
constexpr std::string_view kCss = "text/css; charset=utf-8";
constexpr std::string_view kScript = "text/javascript; charset=utf-8";
constexpr std::string_view kSvg = "image/svg+xml";

StaticFile Make(std::string_view content_type, const char* begin, const char* end) {
  const std::string_view body(begin, static_cast<size_t>(end - begin));
  return {content_type, body, StrCat("\"", Hex64(Fnv1a64(body)), "\"")};
}

std::map<std::string, StaticFile, std::less<>> MakeAll() {
  std::map<std::string, StaticFile, std::less<>> files;
#define SEALANE_PAGE_FILE(path, type, name) \
  files[path] = Make(type, sealane_page_##name##_begin, sealane_page_##name##_end)
  SEALANE_PAGE_FILE("/", kHtml, index_html);
  SEALANE_PAGE_FILE("/style.css", kCss, style_css);
  SEALANE_PAGE_FILE("/favicon.svg", kSvg, favicon_svg);
  SEALANE_PAGE_FILE("/main.js", kScript, main_js);
  SEALANE_PAGE_FILE("/api.js", kScript, api_js);
  SEALANE_PAGE_FILE("/dom.js", kScript, dom_js);
  SEALANE_PAGE_FILE("/format.js", kScript, format_js);
  SEALANE_PAGE_FILE("/overview.js", kScript, overview_js);
  SEALANE_PAGE_FILE("/detail.js", kScript, detail_js);
  SEALANE_PAGE_FILE("/events.js", kScript, events_js);
#undef SEALANE_PAGE_FILE
  return files;
}

}  // namespace

const StaticFile* FindStaticFile(std::string_view path) {
  static const auto& files = *new std::map<std::string, StaticFile, std::less<>>(MakeAll());
  const auto it = files.find(path);
  return it == files.end() ? nullptr : &it->second;
}

}  // namespace sealane::status

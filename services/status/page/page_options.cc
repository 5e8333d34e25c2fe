#include "services/status/page/page_options.h"

#include <string_view>
#include <utility>

#include "lib/core/status.h"

namespace sealane::status {

std::vector<Flag> PageFlags() {
  return {
      {"page-listen",
       "Address of the web page; port 0 takes a free one, empty serves none. It has no login: let "
       "only those reach it who may see the fleet.",
       "127.0.0.1:0"},
      {"page-listen-file", "File to write that address to, for scripts.", ""},
      {"page-hosts",
       "Host names under which the page may be asked, separated by commas, besides IP addresses "
       "and "
       "localhost; *: any.",
       ""},
      {"page-max-listeners", "How many browsers may follow the events at a time.", "64"},
  };
}

absl::StatusOr<PageOptions> ParsePageOptions(const Flags& flags) {
  PageOptions options;
  options.listen = flags.Get("page-listen");
  options.listen_file = flags.Get("page-listen-file");
  std::string_view rest = flags.Get("page-hosts");
  while (!rest.empty()) {
    const size_t comma = rest.find(',');
    if (comma != 0) options.hosts.emplace(rest.substr(0, comma));
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
  }
  SEALANE_ASSIGN_OR_RETURN(const int64_t listeners, flags.GetInt("page-max-listeners", 1, 10'000));
  options.events.max_listeners = static_cast<size_t>(listeners);
  return options;
}

}  // namespace sealane::status

// sealane get: lists apps, clusters, works, policies and objects, and follows them.
#include <map>

#include "lib/bus/subjects.h"
#include "lib/core/json.h"
#include "lib/core/status.h"
#include "lib/core/strings.h"
#include "lib/kube/manifest.h"
#include "lib/model/identity.h"
#include "tools/sealane/command.h"
#include "tools/sealane/listing.h"
#include "tools/sealane/lookup.h"

namespace sealane::cli {
namespace {

// How often what tells no news of itself is asked for again.
constexpr absl::Duration kLookAtEvents = absl::Seconds(2);

struct Request {
  const Noun* noun = nullptr;
  std::string format;
  v1::QueryRequest filter;
  std::string name;  // of the one thing that is asked for, or ""
  absl::Duration timeout;

  [[nodiscard]] bool brief() const { return format != "json" && format != "yaml"; }
};

absl::StatusOr<Request> ReadRequest(const Args& args) {
  Request request;
  const auto& words = args.positional();
  request.noun = words.empty() ? nullptr : FindNoun(words[0]);
  if (request.noun == nullptr || words.size() > 2) {
    std::vector<std::string> names;
    for (const Noun& noun : Nouns()) names.emplace_back(noun.name);
    return InvalidArgument(
        StrCat(words.empty() ? "get what?" : StrCat("cannot get ", StrJoin(words, " ")),
               " Allowed: ", StrJoin(names, ", "), ", then at most one name"));
  }
  SEALANE_ASSIGN_OR_RETURN(request.format,
                           OutputFormat(args, {"table", "wide", "json", "yaml", "name"}));
  SEALANE_ASSIGN_OR_RETURN(request.timeout, Timeout(args));
  request.filter.set_cluster(args.Get("cluster"));
  request.filter.set_kind(args.Get("kind"));
  request.filter.set_label_selector(args.Get("selector"));
  if (words.size() == 2) request.name = words[1];
  request.filter.set_name(request.name);
  return request;
}

class Printer {
 public:
  Printer(const Request& request, Terminal& terminal, Fleet& fleet)
      : request_(request), terminal_(terminal), fleet_(fleet) {}

  // As the only output.
  void All(const Listing& listing) {
    if (request_.brief()) return Lines(listing, true);
    const Json list = {{"items", ListingItems(*request_.noun, listing)}};
    terminal_.out << (request_.format == "json" ? list.dump(2) + "\n" : kube::ToYaml(list));
  }
  // As the next rows; columns stay where they were.
  void More(const Listing& listing) {
    if (request_.brief()) {
      Lines(listing, header_);
    } else {
      for (const Json& item : ListingItems(*request_.noun, listing)) {
        terminal_.out << (request_.format == "json" ? item.dump() + "\n"
                                                    : StrCat("---\n", kube::ToYaml(item)));
      }
    }
    terminal_.out.flush();
  }
  void Gone(std::string_view name) {
    terminal_.err << name << " is gone\n";
    terminal_.err.flush();
  }
  // What the row says, whatever the time: equal when there is no news.
  [[nodiscard]] std::string Gist(const Listing& row) const {
    if (!request_.brief()) return ListingItems(*request_.noun, row).dump();
    ViewOptions options = Options();
    options.style = Style{};
    options.now_micros = 0;
    options.wide = true;
    return ListingText(*request_.noun, row, options);
  }

 private:
  [[nodiscard]] ViewOptions Options() const {
    ViewOptions options;
    options.style = terminal_.style;
    options.now_micros = fleet_.NowMicros();
    options.wide = request_.format == "wide";
    options.show_namespace = request_.filter.namespace_().empty();
    return options;
  }
  void Lines(const Listing& listing, bool header) {
    if (request_.format == "name") {
      terminal_.out << ListingNames(listing);
    } else if (listing.size() > 0) {
      ViewOptions options = Options();
      options.header = header;
      options.widths = &widths_;
      terminal_.out << ListingText(*request_.noun, listing, options);
      header_ = false;
    }
  }

  const Request& request_;
  Terminal& terminal_;
  Fleet& fleet_;
  bool header_ = true;
  std::vector<size_t> widths_;
};

// Prints rows as they come and change, until interrupted.
class Watcher {
 public:
  Watcher(const Request& request, Fleet& fleet, Printer& printer)
      : request_(request), fleet_(fleet), printer_(printer) {}

  absl::Status Run() {
    if (request_.noun->name == "apps") return FollowApps();
    while (true) {
      SEALANE_RETURN_IF_ERROR(Look(request_.filter));
      // The events of the fleet are no more than a reason to look earlier.
      const absl::Status status = fleet_.Follow(
          platform::kEvents, kLookAtEvents, [] { return true; },
          [](std::string_view, std::string_view) { return false; });
      if (!status.ok() && !absl::IsDeadlineExceeded(status)) return status;
    }
  }

 private:
  absl::Status FollowApps() {
    absl::Status failed;
    const absl::Status status = fleet_.Follow(
        platform::kAppStatus, absl::InfiniteDuration(),
        [&] { return (failed = Look(request_.filter)).ok(); },
        [&](std::string_view subject, std::string_view payload) {
          const std::string key(SubjectAfter(subject, 1));
          v1::AppStatus app;
          if (payload.empty()) {
            Gone(key);
          } else if (app.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) {
            failed = OnApp(std::move(app));
          }
          return failed.ok();
        });
    return failed.ok() ? status : failed;
  }

  absl::Status OnApp(v1::AppStatus app) {
    const v1::QueryRequest& filter = request_.filter;
    const auto fits = [](const std::string& wanted, const std::string& is) {
      return wanted.empty() || wanted == is;
    };
    if (!fits(filter.kind(), app.ref().kind()) || !fits(filter.name(), app.ref().name()) ||
        !fits(filter.namespace_(), app.ref().namespace_())) {
      return absl::OkStatus();
    }
    if (!filter.label_selector().empty() || !filter.cluster().empty()) {
      // Labels are not part of the news.
      v1::QueryRequest one = About("apps", app.ref());
      one.set_label_selector(filter.label_selector());
      one.set_cluster(filter.cluster());
      SEALANE_ASSIGN_OR_RETURN(
          const Listing row, List(fleet_, *request_.noun, one, request_.brief(), request_.timeout));
      return Tell(row);
    }
    Listing row;
    *row.reply.add_apps() = std::move(app);
    return Tell(row);
  }

  // Asks for all rows and tells what is new.
  absl::Status Look(const v1::QueryRequest& filter) {
    SEALANE_ASSIGN_OR_RETURN(const Listing all, List(fleet_, *request_.noun, filter,
                                                     request_.brief(), request_.timeout));
    std::map<std::string, std::string> left;
    Listing news;
    for (const Listing& row : Rows(all)) {
      const std::string name = RowName(row);
      std::string gist = printer_.Gist(row);
      const auto known = known_.find(name);
      if (known == known_.end() || known->second != gist) {
        news.reply.MergeFrom(row.reply);
        news.statuses.MergeFrom(row.statuses);
      }
      left[name] = std::move(gist);
    }
    for (const auto& [name, gist] : known_) {
      if (!left.contains(name)) printer_.Gone(name);
    }
    known_ = std::move(left);
    printer_.More(news);
    return absl::OkStatus();
  }

  absl::Status Tell(const Listing& row) {
    if (row.size() == 0) return absl::OkStatus();
    std::string gist = printer_.Gist(row);
    std::string& known = known_[RowName(row)];
    if (known != gist) printer_.More(row);
    known = std::move(gist);
    return absl::OkStatus();
  }

  void Gone(const std::string& key) {
    if (known_.erase(key) > 0) printer_.Gone(key);
  }

  const Request& request_;
  Fleet& fleet_;
  Printer& printer_;
  std::map<std::string, std::string> known_;  // row -> its gist
};

int Get(const Invocation& invocation) {
  const Args& args = invocation.args;
  Terminal& terminal = invocation.terminal;
  auto request = ReadRequest(args);
  if (!request.ok()) return Fail(terminal, request.status());
  Context context;
  const auto fleet = Connect(invocation, &context);
  if (!fleet.ok()) return Fail(terminal, fleet.status());
  std::string ns = args.Has("namespace") ? args.Get("namespace") : context.default_namespace;
  if (args.Has("all-namespaces") || !request->noun->namespaced) ns.clear();
  request->filter.set_namespace_(ns);

  Printer printer(*request, terminal, **fleet);
  if (args.Has("watch")) {
    const absl::Status status = Watcher(*request, **fleet, printer).Run();
    return status.ok() ? kOk : Fail(terminal, status);
  }
  const auto listing =
      List(**fleet, *request->noun, request->filter, request->brief(), request->timeout);
  if (!listing.ok()) return Fail(terminal, listing.status());
  if (listing->size() == 0 && request->brief() && request->format != "name") {
    terminal.err << "no " << request->noun->name
                 << (request->name.empty() ? std::string() : StrCat(" named ", request->name))
                 << (ns.empty() ? std::string() : StrCat(" in namespace ", ns)) << "\n";
  } else {
    printer.All(*listing);
  }
  return listing->size() == 0 && !request->name.empty() ? kRefused : kOk;
}

}  // namespace

Command GetCommand() {
  return {"get",
          "apps|clusters|works|policies|objects [NAME]",
          "List applications, clusters, works (what each cluster should hold), policies or objects",
          "With --watch the list is followed by the rows that come and change, until interrupted; "
          "-o json\n"
          "is one object a line then.\n\n"
          "  sealane get apps -A\n"
          "  sealane get apps -n classroom --watch\n"
          "  sealane get clusters -o wide\n"
          "  sealane get works --cluster aws-virginia -n classroom\n"
          "  sealane get policies -o yaml\n"
          "  sealane get objects -A -o wide\n",
          {{"output", 'o', "FORMAT", "table (default), wide, json, yaml or name"},
           {"watch", 'w', "", "go on with what changes, until interrupted"},
           {"namespace", 'n', "NAMESPACE", "only this namespace (default: the context's, or all)"},
           {"all-namespaces", 'A', "", "every namespace"},
           {"cluster", 0, "NAME", "only what concerns this cluster"},
           {"kind", 0, "KIND", "only objects of this kind"},
           {"selector", 'l', "SELECTOR", "only what has these labels: app=web,tier!=edge"}},
          true,
          Get};
}

}  // namespace sealane::cli

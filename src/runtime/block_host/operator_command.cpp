#include "runtime/block_host/operator_command.h"

#include <array>
#include <cstdint>

#include "wire/drbd_config/option_table.h"

namespace bascule::block_host {
namespace {

using nlohmann::json;
using Answer = Result<replication::Input>;
namespace input = replication::input;

/// Reads arguments and remembers the first that is wrong.
class Arguments {
 public:
  explicit Arguments(const json& request) : request_(request) {}
  bool flag(const char* key) {
    const auto found = request_.find(key);
    if (found == request_.end()) return false;
    if (found->is_boolean()) return found->get<bool>();
    return wrong(key, "true or false is needed"), false;
  }
  std::uint64_t number(const char* key, std::uint64_t otherwise) {
    const auto found = request_.find(key);
    if (found == request_.end()) return otherwise;
    if (found->is_number_integer() && *found >= 0) return found->get<std::uint64_t>();
    return wrong(key, "a number that is not negative is needed"), otherwise;
  }
  Answer answer(replication::Input made) {
    if (error_) return tl::unexpected(*error_);
    return made;
  }

 private:
  void wrong(const char* key, const char* why) {
    if (!error_) error_ = Error{"the request cannot be carried out", key, why, ""};
  }
  const json& request_;
  std::optional<Error> error_;
};

using Make = replication::Input (*)(Arguments&, replication::CommandId);
struct Operation {
  const char* name;
  Make make;
};

constexpr std::array<Operation, 12> kOperations{{
    {"connect",
     [](Arguments& a, replication::CommandId id) -> replication::Input {
       return input::ConnectPeer{id, a.flag("discard_my_data"), a.flag("tentative")};
     }},
    {"disconnect",
     [](Arguments& a, replication::CommandId id) -> replication::Input {
       return input::DisconnectPeer{id, a.flag("force")};
     }},
    {"detach",
     [](Arguments& a, replication::CommandId id) -> replication::Input {
       return input::Detach{id, a.flag("force")};
     }},
    {"verify",
     [](Arguments& a, replication::CommandId id) -> replication::Input {
       return input::Verify{id, a.number("start_sector", 0), a.number("stop_sector", ~std::uint64_t{0})};
     }},
    {"invalidate",
     [](Arguments& a, replication::CommandId id) -> replication::Input {
       return input::Invalidate{id, a.flag("remote")};
     }},
    {"outdate", [](Arguments&, replication::CommandId id) -> replication::Input { return input::Outdate{id}; }},
    {"new_current_uuid",
     [](Arguments& a, replication::CommandId id) -> replication::Input {
       return input::NewCurrentUuid{id, a.flag("clear_bitmap")};
     }},
    {"resize",
     [](Arguments& a, replication::CommandId id) -> replication::Input {
       return input::Resize{id, 0, a.number("size_sectors", 0), a.flag("assume_clean"),
                            a.flag("assume_peer_has_space")};
     }},
    {"pause_sync",
     [](Arguments&, replication::CommandId id) -> replication::Input {
       return input::PauseResync{id, true};
     }},
    {"resume_sync",
     [](Arguments&, replication::CommandId id) -> replication::Input {
       return input::PauseResync{id, false};
     }},
    {"suspend_io",
     [](Arguments&, replication::CommandId id) -> replication::Input {
       return input::SuspendIo{id, true};
     }},
    {"resume_io",
     [](Arguments&, replication::CommandId id) -> replication::Input {
       return input::SuspendIo{id, false};
     }},
}};

struct Words {
  drbd::StateChangeResult result;
  const char* name;
  const char* text;
};
using Code = drbd::StateChangeResult;
constexpr std::array<Words, 25> kResults{{
    {Code::NoClusterChangeNeeded, "NoClusterChangeNeeded", "no cluster-wide change was needed"},
    {Code::ClusterSuccess, "ClusterSuccess", "done on both nodes"},
    {Code::NothingToDo, "NothingToDo", "nothing to do"},
    {Code::Success, "Success", "done"},
    {Code::Unknown, "Unknown", "no answer yet"},
    {Code::TwoPrimaries, "TwoPrimaries", "the peer is Primary and two primaries are not allowed"},
    {Code::NoUpToDateDisk, "NoUpToDateDisk", "no UpToDate data can be reached"},
    {Code::NoLocalDisk, "NoLocalDisk", "it needs a local disk that can be resynchronised"},
    {Code::NoRemoteDisk, "NoRemoteDisk", "it needs a disk of the peer that can be resynchronised"},
    {Code::ConnectedOutdates, "ConnectedOutdates", "a connected node does not become Outdated"},
    {Code::PrimaryNotOutdated, "PrimaryNotOutdated", "the peer is neither Outdated nor fenced"},
    {Code::ResyncRunning, "ResyncRunning", "a resync or a verify is running"},
    {Code::AlreadyStandAlone, "AlreadyStandAlone", "it is StandAlone already"},
    {Code::RefusedByPeer, "RefusedByPeer", "the peer refused"},
    {Code::IsDiskless, "IsDiskless", "this node is diskless"},
    {Code::DeviceInUse, "DeviceInUse", "somebody has the device open"},
    {Code::NoNetworkConfiguration, "NoNetworkConfiguration", "there is no network configuration"},
    {Code::NoVerifyAlgorithm, "NoVerifyAlgorithm", "no verify-alg is configured"},
    {Code::NeedConnection, "NeedConnection", "it needs a connection to the peer"},
    {Code::LowerThanOutdated, "LowerThanOutdated", "the disk is worse than Outdated"},
    {Code::NotSupported, "NotSupported", "the peer's protocol or this engine does not know it"},
    {Code::InTransientState, "InTransientState", "a change is under way: ask again"},
    {Code::ConcurrentStateChange, "ConcurrentStateChange", "the peer is changing too: ask again"},
    {Code::PeerPrimaryOtherVolume, "PeerPrimaryOtherVolume", "the peer is Primary for another volume"},
    {Code::OutdateNeedsConnection, "OutdateNeedsConnection", "the peer must be there to outdate this node gracefully"},
}};

const Words* words_of(Code result) {
  for (const Words& words : kResults)
    if (words.result == result) return &words;
  return nullptr;
}

}  // namespace

std::optional<Answer> operator_command(const json& request, replication::CommandId command) {
  const std::string name = request.value("op", std::string());
  for (const Operation& operation : kOperations) {
    if (operation.name != name) continue;
    Arguments arguments(request);
    replication::Input made = operation.make(arguments, command);
    return arguments.answer(std::move(made));
  }
  return std::nullopt;
}

Result<drbd_config::Options> changed_options(drbd_config::Options options, const json& request) {
  using drbd_config::Section;
  for (const Section section : {Section::net, Section::disk, Section::options, Section::handlers}) {
    const auto given = request.find(drbd_config::name_of(section));
    if (given == request.end()) continue;
    if (!given->is_object())
      return fail("the options cannot be changed", drbd_config::name_of(section), "an object is needed");
    for (const auto& [name, value] : given->items()) {
      const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
      if (const auto set = drbd_config::set(options, section, name, text); !set) return tl::unexpected(set.error());
    }
  }
  if (const auto checked = drbd_config::check(options); !checked) return tl::unexpected(checked.error());
  return options;
}

const char* sentence_of(drbd::StateChangeResult result) {
  const Words* const words = words_of(result);
  return words != nullptr ? words->text : "an unknown result";
}

const char* name_of(drbd::StateChangeResult result) {
  const Words* const words = words_of(result);
  return words != nullptr ? words->name : "?";
}

}  // namespace bascule::block_host

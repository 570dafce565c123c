#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "runtime/files/file_system.h"
#include "runtime/metadata_tool/tool.h"
#include "wire/drbd_metadata/metadata.h"

namespace bascule::metadata_tool {

/// What stands on the command line.
struct Request {
  bool force = false;
  bool as_json = false;
  bool real_flags = false;
  std::uint32_t minor = 0;
  drbd_metadata::Format format = drbd_metadata::Format::V08;
  std::string path;
  drbd_metadata::Placement placement;
  std::string command;
  std::vector<std::string> words;  ///< behind the command, without options
  std::optional<std::uint32_t> node_id;
  std::optional<std::uint32_t> al_stripes;
  std::optional<std::uint32_t> al_stripe_blocks;
  std::optional<std::uint32_t> peer_max_bio_bytes;
  std::optional<std::uint64_t> size_bytes;
  std::optional<std::uint64_t> old_size_bytes;
  std::string as_typed;  ///< for the head of a dump
  files::FileSystem* files = &files::this_machine();
};

/// An error with the exit code that goes with it.
struct Failure {
  Error error;
  ExitCode code = refused;
};
template <typename T>
using Answer = tl::expected<T, Failure>;

inline tl::unexpected<Failure> failure(ExitCode code, Error error) {
  return tl::unexpected(Failure{std::move(error), code});
}

Answer<Request> parse_arguments(const std::vector<std::string>& arguments);

}  // namespace bascule::metadata_tool

#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "runtime/metadata_tool/arguments.h"

namespace bascule::metadata_tool {

using json = nlohmann::ordered_json;

/// The comment lines a dump begins with: date and command.
std::string dump_heading(const Request& request);
/// UUIDs, flags, peers, sizes and places as an object. UUIDs are hexadecimal text.
json metadata_json(const drbd_metadata::Metadata& metadata, const drbd_metadata::Layout& layout);
json error_json(const Error& error);

}  // namespace bascule::metadata_tool

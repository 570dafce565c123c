#pragma once

#include "runtime/metadata_tool/arguments.h"
#include "runtime/metadata_tool/device.h"

namespace bascule::metadata_tool {

/// Metadata as they lie on a device.
struct Found {
  Device device;
  drbd_metadata::Layout layout;
  drbd_metadata::Metadata metadata;

  /// The bitmap as far as it is in use; longer than 1 GiB is refused.
  [[nodiscard]] Answer<Bytes> area() const;
  [[nodiscard]] Answer<Bytes> ring() const;
};

Answer<Device> open_device(const Request& request, Device::Access access);
/// Metadata of any format. Errors: none there, or such that do not fit the device.
Answer<Found> look(const Request& request, Device device);
/// The same, and of the format that was asked for.
Answer<Found> find(const Request& request, Device::Access access);

}  // namespace bascule::metadata_tool

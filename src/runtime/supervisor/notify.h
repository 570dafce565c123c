#pragma once

#include <string_view>

/// The words a daemon has with the service manager that started it: sd_notify(3) without its library.
namespace bascule::supervisor {

/// Sends one datagram to `$NOTIFY_SOCKET`, for example "READY=1". False when nobody wants to know, or it does not
/// arrive.
bool notify(std::string_view text);

}  // namespace bascule::supervisor

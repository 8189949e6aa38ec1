// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef VRAMLINK_TOOLS_VIEWER_KMS_RUN_HPP
#define VRAMLINK_TOOLS_VIEWER_KMS_RUN_HPP

#include "tools/viewer/options.hpp"

namespace vramlink {

/// Shows the VM on a KMS device's monitors, with the seat's keyboards and pointers unless the options say
/// otherwise or there is no seat to be had. Returns the exit code.
int run_kms(const Options &options);

} // namespace vramlink

#endif

// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef VRAMLINK_TOOLS_VIEWER_ADVICE_HPP
#define VRAMLINK_TOOLS_VIEWER_ADVICE_HPP

#include <string>
#include <string_view>

namespace vramlink {

/// What a user can do about @p note, the reason why a buffer is not shared (Screen::note()), in one sentence;
/// empty: nothing that is known here, or there is no note.
std::string advice_for(std::string_view note);

} // namespace vramlink

#endif

// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef VRAMLINK_TOOLS_VIEWER_WHOLE_UNITS_HPP
#define VRAMLINK_TOOLS_VIEWER_WHOLE_UNITS_HPP

#include <cmath>

namespace vramlink {

/// Movements come in fractions, and QEMU takes whole steps: adds up, hands out what is whole, keeps the rest.
class WholeUnits {
  public:
    int add(double amount)
    {
        rest_ += amount;
        const double whole = std::trunc(rest_);
        rest_ -= whole;
        return static_cast<int>(whole);
    }

  private:
    double rest_ = 0; ///< below one unit
};

} // namespace vramlink

#endif

// SPDX-License-Identifier: GPL-2.0-or-later
//
// Notes: what the table did, told to whoever traces (vrl_ops::note). Nothing is formatted here.

#ifndef VRAMLINK_HW_BLOB_NOTES_HPP
#define VRAMLINK_HW_BLOB_NOTES_HPP

#include "hw/blob/facts.hpp"
#include "vramlink/blob_table.h"

#include <cstdint>

namespace vramlink {

class Notes {
  public:
    Notes(const vrl_ops &ops, void *opaque) noexcept : take_(ops.note), opaque_(opaque) {}

    void plan(const Facts &facts) const noexcept
    {
        vrl_note note = about(VRL_NOTE_PLAN, facts);
        note.size = facts.size;
        note.ranges = facts.ranges;
        note.plan = facts.plan;
        note.text = facts.reason.c_str();
        tell(note);
    }

    void exported(const Facts &facts, uint64_t start, uint64_t microseconds,
                  const char *outcome) const noexcept
    {
        vrl_note note = about(VRL_NOTE_EXPORT, facts);
        note.start = start;
        note.microseconds = microseconds;
        note.text = outcome;
        tell(note);
    }

    void revoked(const Facts &facts, const char *why) const noexcept
    {
        vrl_note note = about(VRL_NOTE_REVOKE, facts);
        note.text = why;
        tell(note);
    }

  private:
    static vrl_note about(vrl_note_kind kind, const Facts &facts) noexcept
    {
        vrl_note note{};
        note.kind = kind;
        note.id = facts.id;
        note.text = "";
        return note;
    }
    void tell(const vrl_note &note) const noexcept
    {
        if (take_ != nullptr)
            take_(opaque_, &note);
    }

    void (*take_)(void *opaque, const vrl_note *note);
    void *opaque_;
};

} // namespace vramlink

#endif

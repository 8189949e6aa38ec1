// SPDX-License-Identifier: GPL-2.0-or-later

#include "hw/prime/frame_queue.hpp"

namespace vramlink {

void FrameQueue::complete(std::vector<Completion> &waiting)
{
    for (Completion &completion : waiting)
        completion.run();
    waiting.clear(); // keeps its capacity: no allocation per frame
}

void FrameQueue::scanout(FrameRef buffer)
{
    if (buffer == wanted_)
        return;
    complete(waiting_);
    wanted_ = std::move(buffer);
    dirty_ = false;
}

void FrameQueue::update(Completion done)
{
    if (!wanted_)
        return; // nothing is shown: @p done runs on the way out
    dirty_ = true;
    waiting_.push_back(std::move(done));
}

bool FrameQueue::overdue()
{
    const FrameRef &next = in_flight_ ? in_flight_ : on_screen_;
    if (!wanted_ || wanted_ == next)
        return false;
    dirty_ = true;
    return true;
}

FrameRef FrameQueue::take()
{
    if (in_flight_ || !wanted_ || !dirty_)
        return nullptr;
    dirty_ = false;
    in_flight_ = wanted_;
    std::swap(waiting_, waiting_in_flight_);
    return in_flight_;
}

void FrameQueue::flip_done()
{
    if (!in_flight_)
        return;
    on_screen_ = std::exchange(in_flight_, nullptr);
    complete(waiting_in_flight_);
}

void FrameQueue::retry(FrameRef buffer)
{
    in_flight_ = nullptr;
    wanted_ = std::move(buffer);
    dirty_ = true;
    std::swap(waiting_, waiting_in_flight_);
    for (Completion &later : waiting_in_flight_)
        waiting_.push_back(std::move(later));
    waiting_in_flight_.clear();
}

void FrameQueue::flip_failed()
{
    in_flight_ = nullptr;
    complete(waiting_in_flight_);
}

void FrameQueue::clear()
{
    wanted_ = in_flight_ = on_screen_ = nullptr;
    dirty_ = false;
    complete(waiting_);
    complete(waiting_in_flight_);
}

} // namespace vramlink

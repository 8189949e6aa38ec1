// SPDX-License-Identifier: GPL-2.0-or-later

#include "tools/viewer/session.hpp"

#include "tools/viewer/join.hpp"
#include "tools/viewer/log.hpp"
#include "tools/viewer/mapped_request.hpp"
#include "tools/viewer/stats.hpp"

#include <fmt/ranges.h>
#include <glib-unix.h>

#include <algorithm>
#include <csignal>

namespace vramlink {
namespace {

/// While QEMU takes in a listener it answers nobody: not at once, and more than once.
constexpr int64_t mapped_delay_us = 100'000;
constexpr int most_mapped_tries = 3;

} // namespace

Session::Session(const Options &options, Screens screens)
    : options_(options), screens_(std::move(screens)), retry_([this] { connect(); }),
      reap_([this] { reap(); }), mapped_([this] { ask_for_mapped(); }), stats_timer_([this] {
          write_stats();
          arm_stats();
      })
{
    if (screens_.clipboard)
        clipboard_ = std::make_unique<GuestClipboard>(*screens_.clipboard);
    connection_.on_ready = [this] {
        if (clipboard_)
            clipboard_->attach(connection_.get(), connection_.bus_name());
        settle();
    };
    connection_.on_changed = [this] { settle(); };
    connection_.on_lost = [this](const std::string &reason) { main_lost(reason); };
    give_up_at_ = g_get_monotonic_time() + static_cast<int64_t>(options.connect_timeout * G_USEC_PER_SEC);
    sources_ = {g_unix_signal_add(SIGTERM, &Session::on_end, this),
                g_unix_signal_add(SIGINT, &Session::on_end, this),
                g_unix_signal_add(SIGUSR1, &Session::on_stats, this)};
}

Session::~Session()
{
    for (const guint source : sources_)
        g_source_remove(source);
}

gboolean Session::on_end(gpointer self)
{
    static_cast<Session *>(self)->end(exit_ok);
    return G_SOURCE_CONTINUE;
}

gboolean Session::on_stats(gpointer self)
{
    static_cast<Session *>(self)->write_stats();
    return G_SOURCE_CONTINUE;
}

int Session::run()
{
    // One screen at least is there before QEMU is, and says so.
    if (!open(options_.outputs.empty() ? 0 : options_.outputs.front()))
        return exit_no_display;
    if (!write_stats())
        return exit_internal;
    arm_stats();
    retry_.arm(0);
    g_main_loop_run(loop_.get());
    for (const auto &[console, output] : outputs_)
        output->leave();
    connection_.disconnect();
    if (asked_mapped_ && options_.visitor)
        (void)request_mapped(options_.qmp, false, qmp_limit);
    return write_stats() || code_ != exit_ok ? code_ : exit_internal;
}

bool Session::open(unsigned console)
{
    auto screen = screens_.make();
    if (!screen) {
        Log::error("{}", screen.error().text);
        return false;
    }
    add_output(console, std::move(*screen));
    return true;
}

void Session::add_output(unsigned console, std::unique_ptr<Screen> screen)
{
    auto output = std::make_unique<Output>(console, std::move(screen), connection_,
                                           Output::Owner{[this](const std::string &why) { lost(why); },
                                                         [this, console] { closed_by_user(console); },
                                                         [this] {
                                                             mapped_tries_ = most_mapped_tries;
                                                             mapped_.arm(mapped_delay_us);
                                                         },
                                                         [this] { take_back(); }, !options_.visitor});
    output->presenter().allow_copy(!options_.no_copy);
    output->screen().on_output_asked = [this](unsigned number) { asked_for(number); };
    output->screen().listen([this](const std::string &why) {
        Log::error("{}", why);
        end(exit_no_display);
    });
    outputs_[console] = std::move(output);
}

void Session::connect()
{
    if (const auto begun = join_display(connection_, options_); !begun)
        return lost(begun.error().text);
    if (!options_.qmp.empty() && !options_.visitor)
        (void)request_mapped(options_.qmp, false, qmp_limit); // what a viewer before us may have asked for
}

/// Those that the user has named, else all graphical ones, closed or not.
std::set<unsigned> Session::eligible() const
{
    std::set<unsigned> ids(options_.outputs.begin(), options_.outputs.end());
    if (!ids.empty())
        return ids;
    for (const ConsoleInfo &console : connection_.vm().consoles) {
        if (console.graphic)
            ids.insert(console.id);
    }
    return ids;
}

std::set<unsigned> Session::wanted() const
{
    std::set<unsigned> ids = eligible();
    std::erase_if(ids, [this](unsigned id) { return closed_.contains(id); });
    while (ids.size() > screens_.most())
        ids.erase(std::prev(ids.end()));
    return ids;
}

/// What is wrong with the consoles that the VM has; empty: nothing.
std::string Session::missing() const
{
    std::vector<unsigned> has;
    bool graphic = false;
    for (const ConsoleInfo &console : connection_.vm().consoles) {
        has.push_back(console.id);
        graphic = graphic || console.graphic;
    }
    for (const unsigned id : options_.outputs) {
        if (!connection_.vm().console(id))
            return fmt::format("the VM has no console {}; it has {}", id, fmt::join(has, ", "));
    }
    return graphic || !options_.outputs.empty() ? "" : "the VM has no graphical console";
}

/// Makes the outputs those that are wanted, and joins whoever has not joined.
void Session::settle()
{
    if (const std::string why = missing(); !why.empty())
        return lost(why);
    const std::set<unsigned> ids = wanted();
    // The screen that was opened before QEMU was there becomes the first that is wanted.
    if (outputs_.size() == 1 && !ids.empty() && !ids.contains(outputs_.begin()->first) && !was_connected()) {
        outputs_.clear();
        if (!open(*ids.begin()))
            return end(exit_no_display);
    }
    seen_ = was_connected();
    std::erase_if(outputs_, [&](const auto &entry) {
        return !ids.contains(entry.first) && !doomed_.contains(entry.first);
    });
    for (const unsigned id : ids) {
        if (!outputs_.contains(id) && !open(id))
            return end(exit_no_display);
    }
    if (outputs_.empty())
        return end(exit_ok); // the user has closed what is left
    name_windows();
    for (const unsigned id : ids) {
        Output &output = *outputs_.at(id);
        if (output.has_joined())
            output.follow();
        else if (!output.is_joining())
            output.join(*connection_.vm().console(id));
    }
}

void Session::name_windows()
{
    const VmInfo &vm = connection_.vm();
    const auto graphic = std::ranges::count_if(vm.consoles, &ConsoleInfo::graphic);
    for (const auto &[id, output] : outputs_)
        output->screen().set_title(graphic > 1 ? fmt::format("{} - output {}", vm.name, id) : vm.name);
}

void Session::closed_by_user(unsigned console)
{
    closed_.insert(console);
    doomed_.insert(console);
    reap_.arm(0);
}

void Session::reap()
{
    for (const unsigned console : std::exchange(doomed_, {})) {
        const auto found = outputs_.find(console);
        if (found == outputs_.end())
            continue;
        if (outputs_.size() == 1)
            return end(exit_ok);
        found->second->unplug();
        seen_ = was_connected();
        outputs_.erase(found);
    }
}

/// The guest sees a monitor go as long as it has another one; the last one's picture moves to a monitor that
/// is free.
void Session::monitors_changed()
{
    std::vector<unsigned> dark;
    for (const auto &[console, output] : outputs_) {
        if (!output->screen().has_monitor() && !doomed_.contains(console))
            dark.push_back(console);
    }
    const bool others = dark.size() + doomed_.size() < outputs_.size();
    for (const unsigned console : dark) {
        if (others) {
            closed_by_user(console);
            continue;
        }
        auto free = screens_.make();
        if (!free)
            break;
        seen_ = was_connected();
        outputs_.erase(console);
        add_output(console, std::move(*free));
    }
    if (outputs_.size() - doomed_.size() < screens_.most())
        closed_ = doomed_; // whoever was unplugged may come back
    if (connection_.is_up())
        settle();
}

/// The user wants the window of the @p number th output, from 1 on.
void Session::asked_for(unsigned number)
{
    const std::set<unsigned> all = eligible();
    if (number == 0 || number > all.size() || !connection_.is_up())
        return;
    if (closed_.erase(*std::next(all.begin(), number - 1)) > 0)
        settle();
}

/// The user types, and QEMU talks to another client.
void Session::take_back()
{
    const int64_t now = g_get_monotonic_time();
    if (options_.qmp.empty() || connection_.get() || now < take_back_at_ || !was_connected())
        return;
    take_back_at_ = now + retry_us;
    if (const auto begun = join_display(connection_, options_); !begun)
        Log::info("keys do not reach the guest: {}", begun.error().text);
}

/// The fallback's fallback: QEMU's side maps what we cannot.
void Session::ask_for_mapped()
{
    if (options_.qmp.empty())
        return Log::info("with --qmp, vramlink's device could be asked for a mapped picture");
    asked_mapped_ = true;
    const auto devices = request_mapped(options_.qmp, true, qmp_limit);
    if (!devices && --mapped_tries_ > 0)
        return mapped_.arm(mapped_delay_us);
    if (!devices)
        Log::error("asking for the mapped picture: {}", devices.error().text);
    else if (*devices == 0)
        Log::info("QEMU has no device of vramlink's that could show the picture mapped");
    else
        Log::info("QEMU is asked for the mapped picture (show-mapped)");
}

/// Peer to peer that is no loss as long as every listener goes on: QEMU talks to another client now.
void Session::main_lost(const std::string &reason)
{
    if (clipboard_)
        clipboard_->detach();
    const bool alone = !options_.qmp.empty() && !outputs_.empty() &&
                       std::ranges::all_of(outputs_, [](auto &entry) { return entry.second->has_joined(); });
    if (!alone)
        return lost(reason);
    Log::info("QEMU's display has another client, too");
}

/// After the connection ended, and after an attempt that failed.
void Session::lost(const std::string &reason)
{
    for (const auto &[console, output] : outputs_)
        output->leave();
    if (clipboard_)
        clipboard_->detach();
    connection_.disconnect();
    const bool starting = !was_connected() && g_get_monotonic_time() < give_up_at_;
    if (options_.reconnect || starting) {
        Log::info("{}; trying again", reason);
        return retry_.arm(retry_us);
    }
    Log::error("{}", reason);
    end(exit_connection_lost);
}

bool Session::was_connected() const
{
    return seen_ || std::ranges::any_of(outputs_, [](auto &entry) {
               return entry.second->presenter().times_connected() > 0;
           });
}

void Session::end(int code)
{
    code_ = code;
    g_main_loop_quit(loop_.get());
}

bool Session::write_stats()
{
    if (options_.stats.empty() || outputs_.empty())
        return true;
    nlohmann::json outputs = nlohmann::json::array();
    for (const auto &[console, output] : outputs_) {
        nlohmann::json one = collect_stats(output->presenter());
        one["console"] = console;
        one["label"] = output->label();
        outputs.push_back(std::move(one));
    }
    // The first output's figures stand at the top as well: most VMs have one.
    nlohmann::json all = outputs.front();
    all.erase("console");
    all.erase("label");
    all["outputs"] = std::move(outputs);
    const auto written = write_atomically(options_.stats, all.dump(2) + "\n");
    if (!written)
        Log::error("{}", written.error().text);
    return written.has_value();
}

void Session::arm_stats()
{
    if (options_.stats_interval > 0)
        stats_timer_.arm(static_cast<int64_t>(options_.stats_interval * G_USEC_PER_SEC));
}

} // namespace vramlink

// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/races/options.hpp"

#include "tests/races/scenario.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>

namespace vramlink::test {

namespace {

[[noreturn]] void usage(const std::string &wrong)
{
    std::fprintf(stderr,
                 "races: %s\n"
                 "usage: races [--seed N] [--seconds N] [--rounds N] [--same] [--scenario NAME]... [--list]\n"
                 "             [--plugin FILE] [--vfio] [--accel tcg|kvm]... [--bios FILE] [--guard FILE]\n"
                 "             [--qemu-env NAME=VALUE]...\n",
                 wrong.c_str());
    std::exit(2);
}

std::uint64_t number(const std::string &option, const std::string &text, std::uint64_t most)
{
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value > most)
        usage(option + " '" + text + "' is no number from 0 to " + std::to_string(most));
    return value;
}

[[noreturn]] void list()
{
    for (const Scenario &one : scenarios())
        std::printf("%-15s %s%s\n", one.name, one.what, one.needs_vfio ? " (VFIO)" : "");
    std::exit(0);
}

std::string known_scenario(const std::string &name)
{
    const auto all = scenarios();
    if (std::none_of(all.begin(), all.end(), [&](const Scenario &one) { return name == one.name; }))
        usage("no scenario '" + name + "' (--list tells them)");
    return name;
}

} // namespace

Options options_of(int argc, char **argv)
{
    constexpr std::uint64_t longest = 1'000'000;
    constexpr double usual_seconds = 48;
    Options options;
    for (int i = 1; i < argc; i++) {
        const std::string name = argv[i];
        const auto value = [&]() -> std::string {
            return i + 1 < argc ? argv[++i] : (usage(name + " needs a value"), "");
        };
        if (name == "--seed")
            options.seed = number(name, value(), UINT64_MAX);
        else if (name == "--seconds")
            options.seconds = static_cast<double>(number(name, value(), longest));
        else if (name == "--rounds")
            options.rounds = number(name, value(), UINT64_MAX);
        else if (name == "--same")
            options.same = true;
        else if (name == "--scenario")
            options.scenarios.push_back(known_scenario(value()));
        else if (name == "--list")
            list();
        else if (name == "--plugin")
            setenv("VRAMLINK_PLUGIN", value().c_str(), 1);
        else if (name == "--vfio")
            options.setup.where = Where::Vfio;
        else if (name == "--accel")
            options.accels.push_back(value());
        else if (name == "--bios")
            options.setup.bios = value();
        else if (name == "--guard")
            options.setup.guard = value();
        else if (name == "--qemu-env")
            options.setup.environment += (options.setup.environment.empty() ? "" : " ") + value();
        else
            usage("unknown option '" + name + "'");
    }
    if (options.accels.empty())
        options.accels.emplace_back("tcg");
    if (options.setup.bios.empty())
        usage("--bios is missing (run-races gives it)");
    if (options.seconds == 0 && options.rounds == ~std::uint64_t{0})
        options.seconds = usual_seconds;
    return options;
}

} // namespace vramlink::test

// SPDX-License-Identifier: GPL-2.0-or-later
// What nearly all of the device tests include, compiled once. They include it themselves as well.
#pragma once

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <sstream>
#include <thread>

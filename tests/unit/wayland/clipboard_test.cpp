// SPDX-License-Identifier: GPL-2.0-or-later
//
// Text both ways: a compositor in this process on one side, on the other one end of a D-Bus connection that
// speaks as QEMU does.

#include "tests/unit/prime/until.hpp"
#include "tests/unit/wayland/fake_compositor.hpp"
#include "tools/viewer/dbus_parts.hpp"
#include "tools/viewer/guest_clipboard.hpp"
#include "tools/viewer/log.hpp"
#include "tools/viewer/wayland/clipboard.hpp"
#include "tools/viewer/wayland/window.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <linux/input-event-codes.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <functional>

namespace vramlink::test {
namespace {

constexpr const char *object = "/org/qemu/Display1/Clipboard";
constexpr const char *interface_name = "org.qemu.Display1.Clipboard";
constexpr const char *mime = "text/plain;charset=utf-8";

/// QEMU's end.
class Qemu {
  public:
    explicit Qemu(UniqueFd socket)
    {
        const auto stream = stream_over(std::move(socket));
        char *guid = g_dbus_generate_guid();
        g_dbus_connection_new(
            stream.get(), guid, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_SERVER, nullptr, nullptr,
            [](GObject *, GAsyncResult *result, gpointer self) {
                static_cast<Qemu *>(self)->connection_.reset(g_dbus_connection_new_finish(result, nullptr));
            },
            this);
        g_free(guid);
        EXPECT_TRUE(until([this] { return connection_ != nullptr; }));
        static const GDBusInterfaceVTable vtable{&Qemu::on_call, nullptr, nullptr, {}};
        GDBusNodeInfo *node = g_dbus_node_info_new_for_xml(
            "<node><interface name='org.qemu.Display1.Clipboard'><method name='Register'/>"
            "<method name='Grab'><arg type='u' direction='in'/><arg type='u' direction='in'/>"
            "<arg type='as' direction='in'/></method><method name='Release'><arg type='u' direction='in'/>"
            "</method><method name='Request'><arg type='u' direction='in'/><arg type='as' direction='in'/>"
            "<arg type='s' direction='out'/><arg type='ay' direction='out'/></method></interface></node>",
            nullptr);
        EXPECT_GT(g_dbus_connection_register_object(connection_.get(), object, node->interfaces[0], &vtable,
                                                    this, nullptr, nullptr),
                  0U);
        g_dbus_node_info_unref(node);
    }
    Qemu(const Qemu &) = delete;
    Qemu &operator=(const Qemu &) = delete;
    ~Qemu() { close_quietly(connection_, this); }

    void call(const char *method, GVariant *arguments)
    {
        bool answered = false;
        g_dbus_connection_call(
            connection_.get(), nullptr, object, interface_name, method, arguments, nullptr,
            G_DBUS_CALL_FLAGS_NONE, -1, nullptr,
            [](GObject *, GAsyncResult *, gpointer flag) { *static_cast<bool *>(flag) = true; }, &answered);
        EXPECT_TRUE(until([&] { return answered; }));
    }
    void grab(uint32_t serial, const char *type = mime, uint32_t selection = 0)
    {
        const char *types[] = {type, nullptr};
        call("Grab", g_variant_new("(uu@as)", selection, serial, g_variant_new_strv(types, -1)));
    }
    /// What the guest pastes; an error's words after "error: ".
    std::string request()
    {
        std::string given;
        const char *types[] = {mime, nullptr};
        g_dbus_connection_call(connection_.get(), nullptr, object, interface_name, "Request",
                               g_variant_new("(u@as)", 0U, g_variant_new_strv(types, -1)), nullptr,
                               G_DBUS_CALL_FLAGS_NONE, -1, nullptr, &Qemu::on_text, &given);
        EXPECT_TRUE(until([&] { return !given.empty(); }));
        return given;
    }

    std::string said; ///< calls that came
    bool another_has_it = false;
    std::string text = "from the guest";

  private:
    static void on_text(GObject *source, GAsyncResult *result, gpointer text)
    {
        GErrorHolder error;
        const GVariantPtr answer(g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, &error));
        auto &out = *static_cast<std::string *>(text);
        if (!answer) {
            out = "error: " + error.text();
            return;
        }
        const GVariantPtr bytes(g_variant_get_child_value(answer.get(), 1));
        gsize size = 0;
        const auto *data = static_cast<const char *>(g_variant_get_fixed_array(bytes.get(), &size, 1));
        out.assign(data, size);
    }
    static void on_call(GDBusConnection *, const char *, const char *, const char *, const char *method,
                        GVariant *parameters, GDBusMethodInvocation *invocation, gpointer self)
    {
        auto *own = static_cast<Qemu *>(self);
        own->said += method;
        if (std::string(method) == "Grab") {
            uint32_t selection = 9, serial = 0;
            g_variant_get(parameters, "(uu@as)", &selection, &serial, nullptr);
            own->said += fmt::format("({},{})", selection, serial);
        }
        own->said += " ";
        if (own->another_has_it && std::string(method) == "Register")
            return g_dbus_method_invocation_return_dbus_error(invocation, "org.qemu.Display1.Error.Failed",
                                                              "Clipboard peer already registered!");
        if (std::string(method) != "Request")
            return g_dbus_method_invocation_return_value(invocation, nullptr);
        g_dbus_method_invocation_return_value(
            invocation, g_variant_new("(s@ay)", mime,
                                      g_variant_new_fixed_array(G_VARIANT_TYPE_BYTE, own->text.data(),
                                                                own->text.size(), 1)));
    }
    GObjectPtr<GDBusConnection> connection_;
};

class Clipboard : public ::testing::Test {
  protected:
    void SetUp() override
    {
        Log::level = LogLevel::error;
        if (!std::getenv("XDG_RUNTIME_DIR"))
            setenv("XDG_RUNTIME_DIR", "/tmp", 1);
        compositor = std::make_unique<FakeCompositor>(false);
        connection = *WaylandConnection::open(compositor->socket(), std::chrono::seconds(20));
        window = *WaylandWindow::open(*connection, {});
        window->listen([](const std::string &why) { FAIL() << why; });
        host = WaylandClipboard::open(*connection);
        ASSERT_NE(host, nullptr);
        guest = std::make_unique<GuestClipboard>(*host);
        auto [ours, theirs] = socket_pair();
        const auto stream = stream_over(std::move(ours));
        g_dbus_connection_new(
            stream.get(), nullptr, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT, nullptr, nullptr,
            [](GObject *, GAsyncResult *result, gpointer self) {
                static_cast<Clipboard *>(self)->bus.reset(g_dbus_connection_new_finish(result, nullptr));
            },
            this);
        qemu = std::make_unique<Qemu>(std::move(theirs));
        ASSERT_TRUE(until([this] { return bus != nullptr; }));
        guest->attach(bus.get(), nullptr);
        ASSERT_TRUE(until([this] { return qemu->said == "Register "; })) << qemu->said;
        qemu->said.clear();
        ASSERT_TRUE(until([this] {
            return compositor->with(
                [](auto &state) { return !state.keyboards.empty() && !state.data_devices.empty(); });
        }));
    }
    void TearDown() override
    {
        guest.reset();
        host.reset();
        window.reset();
        connection.reset();
        close_quietly(bus, this);
    }
    int selections()
    {
        return compositor->with([](auto &state) { return state.selections; });
    }
    bool has_source()
    {
        return compositor->with([](auto &state) { return state.source != nullptr; });
    }
    std::string pasted()
    {
        const UniqueFd from(compositor->paste());
        std::string text;
        std::array<char, 4096> chunk{};
        bool ended = false;
        fcntl(from.get(), F_SETFL, O_NONBLOCK);
        EXPECT_TRUE(until([&] {
            const ssize_t got = ::read(from.get(), chunk.data(), chunk.size());
            ended = got == 0;
            if (got > 0)
                text.append(chunk.data(), static_cast<size_t>(got));
            return ended;
        }));
        return text;
    }

    std::unique_ptr<FakeCompositor> compositor;
    std::unique_ptr<WaylandConnection> connection;
    std::unique_ptr<WaylandWindow> window;
    std::unique_ptr<WaylandClipboard> host;
    std::unique_ptr<GuestClipboard> guest;
    GObjectPtr<GDBusConnection> bus;
    std::unique_ptr<Qemu> qemu;
};

TEST_F(Clipboard, TheGuestsTextIsPastedOnTheHost)
{
    compositor->focus(true);
    ASSERT_TRUE(until([this] { return connection->last_serial() != 0; }));
    qemu->text = std::string(300'000, 'g'); // more than a pipe holds
    qemu->grab(1);
    ASSERT_TRUE(until([this] { return has_source(); }));
    EXPECT_EQ(pasted(), qemu->text);
    EXPECT_EQ(qemu->said, "Request ")
        << "it is asked for when it is wanted, and its own offer is not given back";
    qemu->call("Release", g_variant_new("(u)", 0U));
    EXPECT_TRUE(until([this] { return !has_source(); }));
}

TEST_F(Clipboard, AProgramThatWantsTheTextAndGoesIsNoHarm)
{
    compositor->focus(true);
    qemu->text = std::string(300'000, 'g');
    qemu->grab(1);
    ASSERT_TRUE(until([this] { return has_source(); }));
    const UniqueFd slow(compositor->paste()); // never read
    close(compositor->paste());
    ASSERT_TRUE(until([this] { return qemu->said == "Request Request "; })) << qemu->said;
    EXPECT_EQ(pasted(), qemu->text) << "somebody else is served";
}

TEST_F(Clipboard, WaitsForTheUserToDoSomething)
{
    qemu->grab(1);
    EXPECT_EQ(selections(), 0) << "no compositor would take it";
    compositor->focus(true);
    EXPECT_TRUE(until([this] { return has_source(); }));
}

TEST_F(Clipboard, TheHostsTextIsPastedInTheGuest)
{
    compositor->copy("from the host");
    ASSERT_TRUE(until([this] { return qemu->said == "Grab(0,0) "; })) << qemu->said;
    EXPECT_EQ(qemu->request(), "from the host");
    compositor->copy("and again", "UTF8_STRING");
    ASSERT_TRUE(until([this] { return qemu->said == "Grab(0,0) Grab(0,1) "; })) << qemu->said;
    EXPECT_EQ(qemu->request(), "and again");
    compositor->copy("no text", "image/jpeg");
    ASSERT_TRUE(until([this] { return qemu->said == "Grab(0,0) Grab(0,1) Release "; })) << qemu->said;
    EXPECT_NE(qemu->request().find("error: "), std::string::npos);
}

TEST_F(Clipboard, WhoWasRefusedAsksAgain)
{
    qemu->another_has_it = true;
    guest->attach(bus.get(), nullptr);
    compositor->copy("from the host");
    ASSERT_TRUE(until([this] { return qemu->said == "Register Register "; })) << qemu->said;
    qemu->another_has_it = false;
    qemu->said.clear();
    ASSERT_TRUE(until([this] { return qemu->said == "Register Grab(0,0) "; })) << qemu->said;
    EXPECT_EQ(qemu->request(), "from the host") << "copied while it was another's";
    compositor->copy("and again");
    ASSERT_TRUE(until([this] { return qemu->said == "Register Grab(0,0) Grab(0,1) "; })) << qemu->said;
}

TEST_F(Clipboard, OfTwoWhoGrabTheNewerWinsAndThenWe)
{
    compositor->focus(true);
    ASSERT_TRUE(until([this] { return connection->last_serial() != 0; }));
    compositor->copy("host");
    ASSERT_TRUE(until([this] { return qemu->said == "Grab(0,0) "; })) << qemu->said;
    qemu->grab(0);
    qemu->grab(5, mime, 1); // X11's other selection
    EXPECT_EQ(selections(), 0);
    qemu->grab(1);
    EXPECT_TRUE(until([this] { return selections() == 1; }));
    compositor->copy("host again");
    EXPECT_TRUE(until([this] { return qemu->said == "Grab(0,0) Grab(0,2) "; })) << qemu->said;
    qemu->grab(1);
    EXPECT_EQ(selections(), 1) << "it is older";
    qemu->said.clear();
    qemu->call("Register", nullptr);
    EXPECT_TRUE(until([this] { return qemu->said == "Grab(0,0) "; })) << "another agent hears of it";
    qemu->grab(1);
    EXPECT_TRUE(until([this] { return selections() == 2; })) << "counting has begun anew";
    qemu->said.clear();
    qemu->call("Register", nullptr);
    qemu->grab(0);
    EXPECT_TRUE(until([this] { return selections() == 3; }));
    EXPECT_EQ(qemu->said, "") << "the host's text has been replaced";
}

TEST_F(Clipboard, ATextWithoutAnEndIsAnError)
{
    compositor->copy("never ends");
    ASSERT_TRUE(until([this] { return qemu->said == "Grab(0,0) "; })) << qemu->said;
    const std::string answer = qemu->request();
    EXPECT_NE(answer.find("did not end"), std::string::npos) << answer;
}

} // namespace
} // namespace vramlink::test

"""A page in Chromium as a participant: it hears Python, and Python hears it."""

import asyncio
import shutil

import pytest

from relay.dev.room_server import RoomServer
from relay.rooms.local import LocalRoom
from tests.rooms.listener import Listener, level, run

playwright = pytest.importorskip("playwright.async_api", reason="playwright comes with the test extra")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]

# The page answers every frame it receives with one of its own tone, until it is told that it is enough: the room's
# clock is its clock.
PAGE = """async ([url, toneHz]) => {
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    let joined = null, sent = 0;
    const heard = [];
    await new Promise((done, failed) => {
        socket.onerror = () => failed(new Error("the WebSocket failed"));
        socket.onmessage = (message) => {
            if (typeof message.data === "string") {
                joined ??= JSON.parse(message.data);
                return;
            }
            heard.push(...new Int16Array(message.data));
            const tone = new Int16Array(320);
            tone.forEach((_, n) => {
                tone[n] = 8000 * Math.sin(2 * Math.PI * toneHz * (sent * 320 + n) / 16000);
            });
            socket.send(tone.buffer);
            sent += 1;
            if (window.enough) done();
        };
    });
    socket.close(1000, "done");
    return { joined, heard };
}"""


MISSING = 0.15
"""Of half a second: a browser on a busy machine may leave out three frames of 20 ms. What is heard is not softer."""


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
@pytest.mark.long
def test_a_page_and_a_local_room_hear_each_other() -> None:
    async def scenario() -> None:
        async with RoomServer(port=0) as server, playwright.async_playwright() as browsers:
            browser = await browsers.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            page = await browser.new_page()  # about:blank: its origin is null
            room, listener = LocalRoom(server.room_url("x"), name="python"), Listener(1000)
            await room.join(listener)
            url = server.room_url("x").replace("http", "ws") + "?name=page"
            talking = asyncio.create_task(page.evaluate(PAGE, [url, 400]))
            await listener.until(lambda: bool(listener.joined))
            await listener.hears(15)
            page_tone = await listener.hears(25)
            await page.evaluate("window.enough = true")
            told = await talking
            await listener.until(lambda: bool(listener.left))
            assert listener.joined[0].name == "page"
            assert listener.left[0][1] == "done"
            others = [{"id": room.participant_id, "name": "python"}]
            assert (told["joined"]["participants"], told["joined"]["rate_hz"]) == (others, 16000)
            assert level(page_tone, 400) == pytest.approx(8000, rel=MISSING)
            assert level(page_tone, 1000) < 8
            python_tone = told["heard"][-8000:]
            assert level(python_tone, 1000) == pytest.approx(8000, rel=MISSING)
            assert level(python_tone, 400) < 8
            await room.leave()
            await browser.close()

    run(scenario())

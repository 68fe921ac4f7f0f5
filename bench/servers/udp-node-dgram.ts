/** Raw `node:dgram`, the yardstick: each datagram is sent back inside its `message` event. */
import { createSocket } from "node:dgram"
import { port, ready } from "./harness.ts"

const socket = createSocket("udp4")
socket.on("message", (bytes, peer) => socket.send(bytes, peer.port, peer.address))
socket.bind(port, "127.0.0.1", () => ready(socket.address().port))

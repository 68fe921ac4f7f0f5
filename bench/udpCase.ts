/** Datagrams echoed. */
import type { RateCase } from "./Case.ts"
import { udpCeiling } from "./native.ts"
import { compiledTo, each, onNode, onTwisted, ours, pull } from "./programs.ts"

const rawUdp = "node:dgram"
const eachAccelerated = "spindle receiveEach, node:ffi"

/** 128 of them in flight fit the system's default receive buffer twice, so that none is lost. */
export const udp: RateCase = {
  kind: "rate",
  name: "udp",
  title: "datagrams of 64 bytes echoed, 8 sockets, 16 in flight",
  unit: "msgs/s",
  per: "message",
  mode: "udp",
  load: ["--connections", "8", "--size", "64", "--in-flight", "16"],
  servers: [
    compiledTo("C, recvmmsg (ceiling)", udpCeiling()),
    onNode(rawUdp, "udp-node-dgram.ts"),
    onTwisted("udp-twisted.py"),
    ...ours("udp-spindle.ts"),
    onNode(eachAccelerated, "udp-spindle.ts", { MODE: "receiveEach", ACCELERATOR: "1" }),
    onNode("spindle receive, node:ffi", "udp-spindle.ts", { MODE: "receive", ACCELERATOR: "1" })
  ],
  reference: rawUdp,
  goals: [
    { row: each, over: rawUdp, relation: ">=", bound: 0.95 },
    { row: pull, over: rawUdp, relation: ">=", bound: 0.95 },
    { row: eachAccelerated, over: rawUdp, relation: ">=", bound: 1.5 },
    { row: eachAccelerated, over: "Twisted", relation: ">", bound: 1 }
  ]
}

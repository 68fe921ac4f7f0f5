/** A plugin of the kind `protocol`: how a server whose port is shared knows this protocol, and what then speaks it. */
import { Sniff } from "spindle/protocol"
import { nameday } from "./nameday.js"

const word = "NAMEDAY"

export const branch = Sniff.when(Sniff.prefix(word), nameday({ prefix: word }))

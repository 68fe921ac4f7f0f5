/** Our SOCKS proxy, with its rules. */
import * as Effect from "effect/Effect"
import { SocksRules, SocksServer, SocksUsers } from "spindle/socks"
import { serve } from "./spindle.ts"

const converse = SocksServer.protocol()
const rules = SocksRules.make({ allow: ["127.0.0.0/8"] })

serve((transport) =>
  converse(transport).pipe(
    Effect.provideService(SocksRules.SocksRules, rules),
    Effect.provideService(SocksUsers.SocksUsers, SocksUsers.nobodyAsked)
  )
)

/** `spindle discard`. */
import * as Discard from "../../inetd/Discard.ts"
import * as ServiceMaker from "../ServiceMaker.ts"
import { flags, serve } from "./smallService.ts"

const { description, name, port } = Discard.service

export const maker = ServiceMaker.make({
  name,
  description,
  flags: flags(port),
  make: (options) => serve(Discard.service, options)
})

/** `spindle chargen`. */
import * as Chargen from "../../inetd/Chargen.ts"
import * as ServiceMaker from "../ServiceMaker.ts"
import { flags, serve } from "./smallService.ts"

const { description, name, port } = Chargen.service

export const maker = ServiceMaker.make({
  name,
  description,
  flags: flags(port),
  make: (options) => serve(Chargen.service, options)
})

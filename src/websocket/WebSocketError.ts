/** How a WebSocket ends, and what goes wrong with one. */
export {
  Busy,
  Close,
  CloseCode,
  Closed,
  HandshakeTimeout,
  InvalidHandshake,
  isSendable,
  Lost,
  type Reason,
  Refused,
  Rejected,
  Silent,
  Unreachable,
  Unsendable,
  Violation,
  WebSocketError
} from "../node/NodeWebSocketError.ts"

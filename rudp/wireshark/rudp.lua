-- Wireshark dissector of rudp, version 1 of its wire format (figures in docs/rudp.md).
--
--   wireshark -X lua_script:rudp.lua capture.pcap
--   tshark -X lua_script:rudp.lua -i lo -f 'udp port 7000'
--
-- or copy it to the folder of personal Lua plugins (Help > About > Folders).
--
-- A connection is recognised by its handshake. For a capture that begins later, use
-- "Decode As…", or -d udp.port==7000,crudp.
--
-- Headers are always shown. Frames are shown where a packet is not encrypted: --insecure
-- puts a CRC-32 over the whole packet at its end, and a packet whose last four bytes are that
-- is taken for plain. Of all others the payload is encrypted, and no key would help here: the keys of a
-- connection come from its handshake and are gone with it.

-- Wireshark has another protocol of the name rudp, so that filters say crudp: crudp.message.channel == 3.
local rudp = Proto('crudp', 'Reliable messages over UDP (coopfs)')

local MAGIC = 0x72756470
local VERSION = 1
local HEADER_BYTES = 9
local DATA_HEADER_BYTES = 13
local PIECE_HEADER_BYTES = 17
-- A piece's type is so much above that of its packet.
local PIECE_STEP = 2
local TAG_BYTES = 16
local CHECKSUM_BYTES = 4
local HELLO_BYTES = 1200
local WELCOME_HEADER_BYTES = 17
local COOKIE_BYTES = 20
local REFUSE_BYTES = 27
local RESET_BYTES = 25
local MAX_NAME_BYTES = 64
local MAX_PARAMETERS = 32
-- Ids are below 2^53: so are their first four bytes below this.
local HIGH_LIMIT = 0x200000
local TWO_TO_32 = 4294967296

local PACKET = {
  hello = 1,
  retry = 2,
  welcome = 3,
  refuse = 4,
  reset = 5,
  data = 6,
  odd = 7,
  piece = 8,
  odd_piece = 9,
}
local PACKET_NAMES = {
  [1] = 'hello',
  [2] = 'retry',
  [3] = 'welcome',
  [4] = 'refuse',
  [5] = 'reset',
  [6] = 'data',
  [7] = 'data (odd key phase)',
  [8] = 'piece',
  [9] = 'piece (odd key phase)',
}

local FRAME_NAMES = {
  [0] = 'padding',
  [1] = 'ping',
  [2] = 'ack',
  [3] = 'max_data',
  [4] = 'close',
  [8] = 'message',
  [9] = 'fragment',
  [10] = 'unordered message',
  [11] = 'unordered fragment',
  [12] = 'abandoned',
  [14] = 'unordered abandoned',
  [26] = 'path_challenge',
  [27] = 'path_response',
}

local CLOSE_NAMES = {
  [0] = 'none',
  [1] = 'idle timeout',
  [2] = 'reset',
  [3] = 'superseded',
  [4] = 'refused',
  [5] = 'handshake timeout',
  [6] = 'protocol violation',
  [7] = 'flow control',
  [8] = 'version mismatch',
  [9] = 'duplicate',
  [10] = 'wrong peer',
}

local PARAMETER_NAMES = {
  [1] = 'incarnation',
  [2] = 'max datagram (bytes)',
  [3] = 'idle timeout (µs)',
  [4] = 'max ack delay (µs)',
  [5] = 'max message (bytes)',
  [6] = 'max channels',
  [7] = 'connection window (bytes)',
  [8] = 'channel window (bytes)',
}

local f = {
  type = ProtoField.uint8('crudp.type', 'Packet type', base.DEC, PACKET_NAMES),
  id = ProtoField.uint64('crudp.id', 'Connection id', base.HEX),
  number = ProtoField.uint32('crudp.number', 'Packet number (low 32 bits)', base.DEC),
  magic = ProtoField.uint32('crudp.magic', 'Magic', base.HEX),
  version = ProtoField.uint8('crudp.version', 'Version'),
  cookie = ProtoField.bytes('crudp.cookie', 'Cookie'),
  handshake = ProtoField.bytes('crudp.handshake', 'Handshake message'),
  server_id = ProtoField.uint64('crudp.server_id', "Server's connection id", base.HEX),
  padding = ProtoField.bytes('crudp.padding', 'Padding'),
  code = ProtoField.uint64('crudp.code', 'Code', base.DEC),
  tag = ProtoField.bytes('crudp.tag', 'Tag'),
  piece_index = ProtoField.uint8('crudp.piece.index', 'Piece'),
  piece_count = ProtoField.uint8('crudp.piece.count', 'Pieces of the packet'),
  piece_total = ProtoField.uint16('crudp.piece.total', 'Packet without its header (bytes)'),
  piece_bytes = ProtoField.bytes('crudp.piece.bytes', 'Piece of the packet'),
  encrypted = ProtoField.bytes('crudp.encrypted', 'Encrypted payload'),
  checksum = ProtoField.uint32('crudp.checksum', 'CRC-32', base.HEX),
  name = ProtoField.string('crudp.name', "Sender's name"),
  parameter = ProtoField.uint64('crudp.parameter', 'Parameter', base.DEC),
  frame = ProtoField.uint8('crudp.frame', 'Frame', base.DEC, FRAME_NAMES),
  frame_padding = ProtoField.uint32('crudp.frame.padding', 'Bytes of padding'),
  ack_delay = ProtoField.uint64('crudp.ack.delay', 'Delay (µs)', base.DEC),
  ack_first = ProtoField.uint64('crudp.ack.first', 'First of a range', base.DEC),
  ack_last = ProtoField.uint64('crudp.ack.last', 'Last of a range', base.DEC),
  max_data = ProtoField.uint64('crudp.max_data', 'Limit (bytes)', base.DEC),
  reason = ProtoField.string('crudp.reason', 'Reason'),
  message = ProtoField.uint64('crudp.message.id', 'Message', base.DEC),
  channel = ProtoField.uint64('crudp.message.channel', 'Channel', base.DEC),
  distance = ProtoField.uint64('crudp.message.distance', 'Distance to predecessor', base.DEC),
  total = ProtoField.uint64('crudp.message.total', 'Total (bytes)', base.DEC),
  offset = ProtoField.uint64('crudp.message.offset', 'Offset', base.DEC),
  length = ProtoField.uint64('crudp.message.length', 'Length (bytes)', base.DEC),
  contents = ProtoField.bytes('crudp.message.contents', 'Contents'),
}
rudp.fields = {}
for _, field in pairs(f) do table.insert(rudp.fields, field) end

local malformed = ProtoExpert.new('crudp.malformed', 'Malformed rudp', expert.group.MALFORMED, expert.severity.ERROR)
rudp.experts = { malformed }

-- CRC-32 of IEEE 802.3, reflected, a byte at a time.
local crc_table = {}
for byte = 0, 255 do
  local crc = byte
  for _ = 1, 8 do
    local odd = bit.band(crc, 1)
    crc = bit.rshift(crc, 1)
    if odd == 1 then crc = bit.bxor(crc, 0xedb88320) end
  end
  crc_table[byte] = crc
end

local function crc32(text)
  local crc = 0xffffffff
  for at = 1, #text do
    crc = bit.bxor(crc_table[bit.band(bit.bxor(crc, text:byte(at)), 0xff)], bit.rshift(crc, 8))
  end
  return bit.bnot(crc) % TWO_TO_32
end

local function is_plain(tvb)
  local length = tvb:len()
  if length < DATA_HEADER_BYTES + 1 + CHECKSUM_BYTES then return false end
  local covered = length - CHECKSUM_BYTES
  return tvb(covered, CHECKSUM_BYTES):uint() == crc32(tvb:raw(0, covered))
end

local function uint64_of(value)
  return UInt64.new(value % TWO_TO_32, math.floor(value / TWO_TO_32))
end

-- A variable-length integer (RFC 9000, section 16): its value and the offset after it; nothing if it does
-- not end before `limit`.
local function varint(tvb, at, limit)
  if at >= limit then return nil end
  local first = tvb(at, 1):uint()
  local size = 2 ^ math.floor(first / 64)
  if at + size > limit then return nil end
  local value = first % 64
  for index = 1, size - 1 do value = value * 256 + tvb(at + index, 1):uint() end
  return value, at + size
end

-- Adds a varint as `field`; value and next offset, or nothing.
local function add_varint(tree, field, tvb, at, limit)
  local value, after = varint(tvb, at, limit)
  if value ~= nil then tree:add(field, tvb(at, after - at), uint64_of(value)) end
  return value, after
end

-- What each frame says after its type byte: adds it to the tree; answers the offset after it and
-- a few words, or nothing if it is malformed.
local frames = {}

frames[1] = function(_, _, at) return at, 'ping' end

frames[2] = function(tree, tvb, at, limit)
  local largest, length, count
  local begin = at
  largest, at = varint(tvb, at, limit)
  if largest == nil then return nil end
  local largest_at = at
  _, at = add_varint(tree, f.ack_delay, tvb, at, limit)
  if at == nil or at >= limit then return nil end
  count, at = tvb(at, 1):uint(), at + 1
  length, at = varint(tvb, at, limit)
  if length == nil or length > largest then return nil end
  local first = largest - length
  local words = { first == largest and tostring(first) or first .. '–' .. largest }
  tree:add(f.ack_last, tvb(begin, largest_at - begin), uint64_of(largest))
  tree:add(f.ack_first, tvb(at - 1, 1), uint64_of(first))
  for _ = 1, count do
    local gap
    begin = at
    gap, at = varint(tvb, at, limit)
    if gap == nil then return nil end
    length, at = varint(tvb, at, limit)
    if length == nil then return nil end
    local last = first - gap - 2
    first = last - length
    if first < 0 then return nil end
    tree:add(f.ack_last, tvb(begin, at - begin), uint64_of(last))
    tree:add(f.ack_first, tvb(begin, at - begin), uint64_of(first))
    table.insert(words, first == last and tostring(first) or first .. '–' .. last)
  end
  return at, 'ack ' .. table.concat(words, ' ')
end

frames[3] = function(tree, tvb, at, limit)
  local value, after = add_varint(tree, f.max_data, tvb, at, limit)
  if value == nil then return nil end
  return after, string.format('max_data %.0f', value)
end

local function path_frame(name)
  return function(_, _, at, limit)
    if at + 8 > limit then return nil end
    return at + 8, name
  end
end

frames[26] = path_frame('path_challenge')
frames[27] = path_frame('path_response')

frames[4] = function(tree, tvb, at, limit)
  local code, length, begin
  begin = at
  code, at = varint(tvb, at, limit)
  if code == nil then return nil end
  local item = tree:add(f.code, tvb(begin, at - begin), uint64_of(code))
  item:append_text(' (' .. (CLOSE_NAMES[code] or (code < 256 and 'unknown' or 'of the application')) .. ')')
  length, at = varint(tvb, at, limit)
  if length == nil or at + length > limit then return nil end
  local reason = length > 0 and tvb(at, length):string(ENC_UTF_8) or ''
  if length > 0 then tree:add(f.reason, tvb(at, length), reason) end
  return at + length, string.format('close %.0f %s', code, reason)
end

local function message_frame(fragment, unordered, abandoned)
  return function(tree, tvb, at, limit)
    local id, channel, total, length
    local offset = 0
    id, at = add_varint(tree, f.message, tvb, at, limit)
    if id == nil then return nil end
    channel, at = add_varint(tree, f.channel, tvb, at, limit)
    if channel == nil then return nil end
    if not unordered then
      _, at = add_varint(tree, f.distance, tvb, at, limit)
      if at == nil then return nil end
    end
    total, at = add_varint(tree, f.total, tvb, at, limit)
    if total == nil then return nil end
    if abandoned then return at, string.format('msg %.0f ch %.0f abandoned', id, channel) end
    length = total
    if fragment then
      offset, at = add_varint(tree, f.offset, tvb, at, limit)
      if offset == nil then return nil end
      length, at = add_varint(tree, f.length, tvb, at, limit)
      if length == nil then return nil end
    end
    if offset + length > total or at + length > limit then return nil end
    if length > 0 then tree:add(f.contents, tvb(at, length)) end
    local which = fragment and string.format('%.0f+%.0f/%.0f', offset, length, total) or string.format('%.0f', total)
    return at + length, string.format('msg %.0f ch %.0f %s B', id, channel, which)
  end
end

frames[8] = message_frame(false, false, false)
frames[9] = message_frame(true, false, false)
frames[10] = message_frame(false, true, false)
frames[11] = message_frame(true, true, false)
frames[12] = message_frame(false, false, true)
frames[14] = message_frame(false, true, true)

-- All frames from `at` to `limit`; answers what the info column says of them.
local function dissect_frames(tvb, tree, at, limit)
  local words = {}
  while at < limit do
    local type = tvb(at, 1):uint()
    if type == 0 then
      local begin = at
      while at < limit and tvb(at, 1):uint() == 0 do at = at + 1 end
      local branch = tree:add(f.frame, tvb(begin, 1))
      branch:add(f.frame_padding, tvb(begin, at - begin), at - begin)
    else
      local branch = tree:add(f.frame, tvb(at, 1))
      local dissect = frames[type]
      local after, said
      if dissect ~= nil then after, said = dissect(branch, tvb, at + 1, limit) end
      if after == nil then
        branch:add_proto_expert_info(malformed, FRAME_NAMES[type] and 'Malformed frame' or 'Unknown frame type')
        table.insert(words, 'malformed')
        return words
      end
      branch:set_len(after - at)
      if #words < 8 then table.insert(words, said) end
      at = after
    end
  end
  return words
end

-- The introduction in a plain handshake message; false if it is none, as an encrypted one.
local function dissect_introduction(tvb, tree, at, limit)
  limit = limit - CHECKSUM_BYTES
  if at >= limit then return false end
  local name_length = tvb(at, 1):uint()
  local name_at = at + 1
  at = name_at + name_length
  if name_length > MAX_NAME_BYTES or at >= limit then return false end
  local count = tvb(at, 1):uint()
  at = at + 1
  if count < #PARAMETER_NAMES or count > MAX_PARAMETERS then return false end
  local parameters = {}
  for _ = 1, count do
    local begin, id, value = at, nil, nil
    id, at = varint(tvb, at, limit)
    if id == nil then return false end
    value, at = varint(tvb, at, limit)
    if value == nil then return false end
    table.insert(parameters, { id = id, value = value, range = tvb(begin, at - begin) })
  end
  if at ~= limit then return false end
  if name_length > 0 then tree:add(f.name, tvb(name_at, name_length)) end
  for _, each in ipairs(parameters) do
    local item = tree:add(f.parameter, each.range, uint64_of(each.value))
    item:prepend_text((PARAMETER_NAMES[each.id] or 'unknown') .. ': ')
  end
  tree:add(f.checksum, tvb(limit, CHECKSUM_BYTES))
  return true
end

local function dissect_handshake(tvb, tree, at, length)
  if length == 0 then return end
  local branch = tree:add(f.handshake, tvb(at, length))
  if not dissect_introduction(tvb, branch, at, at + length) then branch:append_text(' (encrypted)') end
end

local packets = {}

packets[PACKET.hello] = function(tvb, tree)
  tree:add(f.magic, tvb(9, 4))
  tree:add(f.version, tvb(13, 1))
  if tvb(13, 1):uint() ~= VERSION then return 'of another version' end
  local cookie = tvb(14, 1):uint()
  local at = 15 + cookie
  if at + 2 > tvb:len() then return nil end
  if cookie > 0 then tree:add(f.cookie, tvb(15, cookie)) end
  local length = tvb(at, 2):uint()
  at = at + 2
  if at + length > tvb:len() then return nil end
  dissect_handshake(tvb, tree, at, length)
  local rest = tvb:len() - at - length
  if rest > 0 then tree:add(f.padding, tvb(at + length, rest)) end
  return cookie > 0 and 'with cookie' or 'without cookie'
end

packets[PACKET.retry] = function(tvb, tree)
  local length = tvb:len() - HEADER_BYTES
  if length == 0 then return nil end
  tree:add(f.cookie, tvb(HEADER_BYTES, length))
  return ''
end

packets[PACKET.welcome] = function(tvb, tree)
  if tvb:len() < WELCOME_HEADER_BYTES then return nil end
  tree:add(f.server_id, tvb(HEADER_BYTES, 8))
  dissect_handshake(tvb, tree, WELCOME_HEADER_BYTES, tvb:len() - WELCOME_HEADER_BYTES)
  return ''
end

packets[PACKET.refuse] = function(tvb, tree)
  if tvb:len() ~= REFUSE_BYTES then return nil end
  local code = tvb(HEADER_BYTES, 1):uint()
  tree:add(f.code, tvb(HEADER_BYTES, 1), uint64_of(code))
  tree:add(f.version, tvb(HEADER_BYTES + 1, 1))
  tree:add(f.tag, tvb(HEADER_BYTES + 2, TAG_BYTES))
  return CLOSE_NAMES[code] or tostring(code)
end

packets[PACKET.reset] = function(tvb, tree)
  if tvb:len() ~= RESET_BYTES then return nil end
  tree:add(f.tag, tvb(HEADER_BYTES, TAG_BYTES))
  return ''
end

-- What a whole data packet says after its number, in one datagram or put together from several.
local function dissect_payload(tvb, tree, number)
  local length = tvb:len()
  if length < DATA_HEADER_BYTES + 1 + CHECKSUM_BYTES then return nil end
  if is_plain(tvb) then
    local limit = length - CHECKSUM_BYTES
    local words = dissect_frames(tvb, tree, DATA_HEADER_BYTES, limit)
    tree:add(f.checksum, tvb(limit, CHECKSUM_BYTES))
    return number .. ': ' .. table.concat(words, ', ')
  end
  local rest = length - DATA_HEADER_BYTES - TAG_BYTES
  if rest < 1 then return nil end
  tree:add(f.encrypted, tvb(DATA_HEADER_BYTES, rest))
  tree:add(f.tag, tvb(DATA_HEADER_BYTES + rest, TAG_BYTES))
  return number .. ': encrypted'
end

packets[PACKET.data] = function(tvb, tree)
  if tvb:len() < DATA_HEADER_BYTES then return nil end
  tree:add(f.number, tvb(HEADER_BYTES, 4))
  return dissect_payload(tvb, tree, tvb(HEADER_BYTES, 4):uint())
end
packets[PACKET.odd] = packets[PACKET.data]

-- Packets of which pieces have come, by who sent them, id and number.
local partial = {}
-- Whole packets, by the number of the frame in the capture that brought the last piece.
local completed = {}

function rudp.init()
  partial = {}
  completed = {}
end

local function note_piece(tvb, pinfo, index, count)
  local key = tostring(pinfo.src) .. pinfo.src_port .. tostring(pinfo.dst) .. pinfo.dst_port .. tvb:raw(0, DATA_HEADER_BYTES)
  local packet = partial[key]
  if packet == nil then
    packet = { pieces = {}, missing = count, count = count }
    partial[key] = packet
  end
  if packet.count ~= count or packet.pieces[index] ~= nil then return end
  packet.pieces[index] = tvb:raw(PIECE_HEADER_BYTES)
  packet.missing = packet.missing - 1
  if packet.missing > 0 then return end
  local head = string.char(tvb(0, 1):uint() - PIECE_STEP) .. tvb:raw(1, DATA_HEADER_BYTES - 1)
  completed[pinfo.number] = head .. table.concat(packet.pieces, '', 0, count - 1)
  partial[key] = nil
end

packets[PACKET.piece] = function(tvb, tree, pinfo)
  if tvb:len() <= PIECE_HEADER_BYTES then return nil end
  local number = tvb(HEADER_BYTES, 4):uint()
  local index, count = tvb(13, 1):uint(), tvb(14, 1):uint()
  tree:add(f.number, tvb(HEADER_BYTES, 4))
  tree:add(f.piece_index, tvb(13, 1))
  tree:add(f.piece_count, tvb(14, 1))
  tree:add(f.piece_total, tvb(15, 2))
  tree:add(f.piece_bytes, tvb(PIECE_HEADER_BYTES))
  if index >= count then return nil end
  if not pinfo.visited then note_piece(tvb, pinfo, index, count) end
  local place = number .. ': ' .. (index + 1) .. ' of ' .. count
  local whole = completed[pinfo.number]
  if whole == nil then return place end
  local packet = ByteArray.new(whole, true):tvb('Packet of several datagrams')
  local said = dissect_payload(packet, tree, number)
  return said ~= nil and place .. ', ' .. said or nil
end
packets[PACKET.odd_piece] = packets[PACKET.piece]

function rudp.dissector(tvb, pinfo, root)
  if tvb:len() < HEADER_BYTES then return 0 end
  local type = tvb(0, 1):uint()
  local name = PACKET_NAMES[type]
  if name == nil or tvb(1, 4):uint() >= HIGH_LIMIT then return 0 end
  pinfo.cols.protocol = 'RUDP'
  local tree = root:add(rudp, tvb())
  tree:append_text(', ' .. name)
  tree:add(f.type, tvb(0, 1))
  tree:add(f.id, tvb(1, 8))
  local said = packets[type](tvb, tree, pinfo)
  if said == nil then
    tree:add_proto_expert_info(malformed, 'Malformed packet')
    said = 'malformed'
  end
  pinfo.cols.info = name .. (said == '' and '' or ' ' .. said)
  return tvb:len()
end

-- Nothing but a handshake is unmistakable; the rest of a conversation follows from it.
local function begins(tvb)
  local length = tvb:len()
  if length < HEADER_BYTES or tvb(1, 4):uint() >= HIGH_LIMIT then return false end
  if tvb(1, 4):uint() == 0 and tvb(5, 4):uint() == 0 then return false end
  local type = tvb(0, 1):uint()
  if type == PACKET.hello then return length >= HELLO_BYTES and tvb(9, 4):uint() == MAGIC end
  if type == PACKET.retry then return length == HEADER_BYTES + COOKIE_BYTES end
  if type == PACKET.refuse then return length == REFUSE_BYTES end
  return type >= PACKET.data and type <= PACKET.odd and is_plain(tvb)
end

local function heuristic(tvb, pinfo, root)
  if not begins(tvb) then return false end
  pinfo.conversation = rudp
  rudp.dissector(tvb, pinfo, root)
  return true
end

rudp:register_heuristic('udp', heuristic)
DissectorTable.get('udp.port'):add_for_decode_as(rudp)

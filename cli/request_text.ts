/** The strings of request sets: the rest of a line as it is, or in double quotes with escapes. Pure. */

export type ParsedText =
  | { readonly bytes: Uint8Array }
  | { readonly wrong: string; readonly expected: string | undefined };

const ESCAPES: Readonly<Record<string, number>> = { n: 0x0a, t: 0x09, '\\': 0x5c, '"': 0x22 };
const ESCAPE_FORMS = '\\n \\t \\\\ \\" or \\xNN';

const encoder = new TextEncoder();

const parseEscape = (text: string, at: number): { byte: number; length: number } | undefined => {
  const byte = ESCAPES[text.charAt(at + 1)];
  if (byte !== undefined) return { byte, length: 2 };
  const hex = /^x([0-9a-f]{2})/iu.exec(text.slice(at + 1, at + 4));
  return hex === null ? undefined : { byte: Number.parseInt(hex[1] ?? '', 16), length: 4 };
};

const parseQuoted = (text: string): ParsedText => {
  const parts: Uint8Array[] = [];
  let at = 1;
  while (at < text.length && text.charAt(at) !== '"') {
    if (text.charAt(at) === '\\') {
      const escape = parseEscape(text, at);
      if (escape === undefined) {
        const found = /^\\x[^"\s]{0,2}|^\\.?/u.exec(text.slice(at))?.[0] ?? '\\';
        return { wrong: `${found} is no escape`, expected: ESCAPE_FORMS };
      }
      parts.push(Uint8Array.of(escape.byte));
      at += escape.length;
    } else {
      const plain = /^[^"\\]+/u.exec(text.slice(at))?.[0] ?? '';
      parts.push(encoder.encode(plain));
      at += plain.length;
    }
  }
  if (at >= text.length) return { wrong: 'the quote is not closed', expected: 'a " at its end' };
  const after = text.slice(at + 1).trim();
  if (after !== '' && !after.startsWith('#')) {
    return {
      wrong: `${JSON.stringify(after)} follows the closing quote`,
      expected: 'nothing after it, and \\" for a quote inside',
    };
  }
  return { bytes: joined(parts) };
};

const joined = (parts: readonly Uint8Array[]): Uint8Array => {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
};

/**
 * The bytes of a string of a request set. Without quotes it is taken as it is, spaces and `#` too,
 * in UTF-8. In double quotes, \xNN is the byte NN, and a comment may follow. `expected` is left out
 * where the form of the whole command says it best.
 */
export const parseText = (text: string): ParsedText => {
  if (text === '') {
    return { wrong: 'the string is missing ("" is an empty one)', expected: undefined };
  }
  const trimmed = text.trimStart();
  return trimmed.startsWith('"') ? parseQuoted(trimmed) : { bytes: encoder.encode(text) };
};

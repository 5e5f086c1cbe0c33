package io.gatun.tools.jinja;

import io.gatun.tools.jinja.Token.Kind;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Cuts a template into tokens as jinja2 does with trim_blocks and lstrip_blocks: the line break
 * behind a block goes, and so do blanks before a block that begins a line. One use.
 */
final class Lexer {
  private static final List<String> OPERATORS =
      List.of(
          "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{",
          "}", ">", "<", "=", ".", ":", "|", ",", ";");

  private static final Pattern RAW = Pattern.compile("[-+]?[\\s]*raw[\\s]*(?:-%\\}[\\s]*|%\\})");
  private static final Pattern END_RAW =
      Pattern.compile(
          "\\{%([-+]?)[\\s]*endraw[\\s]*(?:\\+%\\}|-%\\}[\\s]*|%\\}\\n?)",
          Pattern.UNICODE_CHARACTER_CLASS);

  private final String source;
  private final List<Token> tokens = new ArrayList<>();
  private final Deque<Character> open = new ArrayDeque<>();
  private int at;

  /** Lines before {@code counted}. */
  private int line = 1;

  private int counted;

  /** Whether what was read last ends a line. */
  private boolean lineStarts = true;

  private Lexer(String template) {
    String lines = template.replace("\r\n", "\n").replace('\r', '\n');
    this.source = lines.endsWith("\n") ? lines.substring(0, lines.length() - 1) : lines;
  }

  /** The tokens, an end-of-file token last. */
  static List<Token> tokens(String template) {
    Lexer lexer = new Lexer(template);
    lexer.root();
    lexer.add(Kind.EOF, "", null);
    return lexer.tokens;
  }

  private void add(Kind kind, String text, Object value) {
    tokens.add(new Token(kind, text, value, line()));
  }

  private int line() {
    while (counted < at) {
      line += source.charAt(counted++) == '\n' ? 1 : 0;
    }
    return line;
  }

  private JinjaException wrong(String message) {
    return new JinjaException(message).at(line());
  }

  private void root() {
    while (at < source.length()) {
      int tag = nextTag();
      if (tag < 0) {
        data(source.substring(at));
        at = source.length();
        return;
      }
      char kind = source.charAt(tag + 1);
      int behind = tag + 2;
      char sign = behind < source.length() ? source.charAt(behind) : ' ';
      data(stripped(source.substring(at, tag), sign, kind == '{'));
      at = tag;
      Matcher raw = RAW.matcher(source).region(behind, source.length());
      if (kind == '%' && raw.lookingAt()) {
        moveTo(raw.end());
        raw();
        continue;
      }
      if (sign == '-' || sign == '+') {
        behind++;
      }
      switch (kind) {
        case '#' -> comment(behind);
        case '%' -> {
          add(Kind.BLOCK_BEGIN, "{%", null);
          at = behind;
          inside(Kind.BLOCK_END);
        }
        default -> {
          add(Kind.VARIABLE_BEGIN, "{{", null);
          at = behind;
          inside(Kind.VARIABLE_END);
        }
      }
    }
  }

  private int nextTag() {
    for (int i = source.indexOf('{', at); i >= 0; i = source.indexOf('{', i + 1)) {
      char next = i + 1 < source.length() ? source.charAt(i + 1) : ' ';
      if (next == '%' || next == '{' || next == '#') {
        return i;
      }
    }
    return -1;
  }

  private void data(String text) {
    if (!text.isEmpty()) {
      add(Kind.DATA, text, null);
    }
  }

  /** The text before a tag, without the blanks that the tag takes. */
  private String stripped(String text, char sign, boolean isVariable) {
    if (sign == '-') {
      return PyText.rstrip(text, null);
    }
    if (sign == '+' || isVariable) {
      return text;
    }
    int lineStart = text.lastIndexOf('\n') + 1;
    boolean begins = lineStart > 0 || lineStarts;
    return begins && PyText.rstrip(text.substring(lineStart), null).isEmpty()
        ? text.substring(0, lineStart)
        : text;
  }

  private void moveTo(int end) {
    lineStarts = end > at && source.charAt(end - 1) == '\n';
    at = end;
  }

  private int behindBlanks(int from) {
    int end = from;
    while (end < source.length() && PyText.isSpace(source.charAt(end))) {
      end++;
    }
    return end;
  }

  private int behindLineBreak(int from) {
    return from < source.length() && source.charAt(from) == '\n' ? from + 1 : from;
  }

  private void comment(int from) {
    int end = source.indexOf("#}", from);
    if (end < 0) {
      throw wrong("a comment has no end; '#}' is missing");
    }
    // A sign that opens the comment cannot close it too.
    char sign = end > from ? source.charAt(end - 1) : ' ';
    int behind = end + 2;
    moveTo(sign == '-' ? behindBlanks(behind) : sign == '+' ? behind : behindLineBreak(behind));
  }

  private void raw() {
    Matcher end = END_RAW.matcher(source);
    if (!end.find(at)) {
      throw wrong("a raw block has no end; '{% endraw %}' is missing");
    }
    char sign = end.group(1).isEmpty() ? ' ' : end.group(1).charAt(0);
    data(stripped(source.substring(at, end.start()), sign, false));
    moveTo(end.end());
  }

  /** Reads expressions up to the end of a tag. */
  private void inside(Kind end) {
    while (true) {
      at = behindBlanks(at);
      if (at >= source.length()) {
        throw wrong("the template ends inside a tag");
      }
      if (open.isEmpty() && ended(end)) {
        return;
      }
      char c = source.charAt(at);
      if (c == '\'' || c == '"') {
        string(c);
      } else if (c >= '0' && c <= '9') {
        number();
      } else if (isNameStart(c)) {
        int to = at;
        while (to < source.length() && isNamePart(source.charAt(to))) {
          to++;
        }
        add(Kind.NAME, source.substring(at, to), null);
        at = to;
      } else {
        operator();
      }
    }
  }

  private boolean ended(Kind end) {
    String mark = end == Kind.BLOCK_END ? "%}" : "}}";
    int behind;
    if (source.startsWith("-" + mark, at)) {
      behind = behindBlanks(at + 3);
    } else if (end == Kind.BLOCK_END && source.startsWith("+%}", at)) {
      behind = at + 3;
    } else if (source.startsWith(mark, at)) {
      behind = end == Kind.BLOCK_END ? behindLineBreak(at + 2) : at + 2;
    } else {
      return false;
    }
    add(end, mark, null);
    moveTo(behind);
    return true;
  }

  private static boolean isNameStart(char c) {
    return c == '_' || Character.isLetter(c);
  }

  private static boolean isNamePart(char c) {
    return c == '_' || Character.isLetterOrDigit(c);
  }

  private void operator() {
    for (String operator : OPERATORS) {
      if (source.startsWith(operator, at)) {
        balance(operator.charAt(0));
        add(Kind.OPERATOR, operator, null);
        at += operator.length();
        return;
      }
    }
    throw wrong("'%c' is no part of an expression".formatted(source.charAt(at)));
  }

  private void balance(char c) {
    switch (c) {
      case '(' -> open.push(')');
      case '[' -> open.push(']');
      case '{' -> open.push('}');
      case ')', ']', '}' -> {
        if (open.isEmpty() || open.pop() != c) {
          throw wrong("'%c' closes nothing".formatted(c));
        }
      }
      default -> {
        // Others need no partner.
      }
    }
  }

  private static final Pattern FLOAT =
      Pattern.compile(
          "\\d+(?:_\\d+)*(?:(?:\\.\\d+(?:_\\d+)*)?[eE][+-]?\\d+(?:_\\d+)*|\\.\\d+(?:_\\d+)*)");
  private static final Pattern INTEGER = Pattern.compile("[1-9](?:_?\\d)*|0(?:_?0)*");

  private void number() {
    boolean behindDot = at > 0 && source.charAt(at - 1) == '.';
    Matcher match = FLOAT.matcher(source).region(at, source.length());
    if (!behindDot && match.lookingAt()) {
      String text = match.group();
      add(Kind.NUMBER, text, Double.valueOf(text.replace("_", "")));
      at = match.end();
      return;
    }
    match = INTEGER.matcher(source).region(at, source.length());
    if (!match.lookingAt() || match.end() < source.length() && isNamePart(at(match.end()))) {
      throw wrong("a number that begins with '%c' is not known".formatted(source.charAt(at)));
    }
    String text = match.group();
    try {
      add(Kind.NUMBER, text, Long.valueOf(text.replace("_", "")));
    } catch (NumberFormatException e) {
      throw JinjaException.unsupported("whole numbers beyond 64 bits").at(line());
    }
    at = match.end();
  }

  private char at(int index) {
    return source.charAt(index);
  }

  private void string(char quote) {
    int from = at + 1;
    int to = from;
    while (to < source.length() && source.charAt(to) != quote) {
      to += source.charAt(to) == '\\' ? 2 : 1;
    }
    if (to >= source.length()) {
      throw wrong("a text in quotes has no end");
    }
    try {
      add(Kind.STRING, Escapes.decode(source.substring(from, to)), null);
    } catch (JinjaException e) {
      throw e.at(line());
    }
    at = to + 1;
  }
}

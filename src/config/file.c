/* Reads the configuration file, see file.h.
 *
 * The file looks like shell, and people have written it as shell: values may be quoted, arrays may
 * span lines. But no shell ever sees it, so what only a shell could do (expand a variable, run a
 * command, take two statements from a line) is refused with its line rather than misread. The text
 * is checked for what no text file holds first; the parser then walks it once, a character at a
 * time, and never looks beyond `end`.
 */
#include "config/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct parser {
	const char *at, *end;
	unsigned line;
	const char *name; /* the variable being read; name_len is 0 between assignments */
	size_t name_len;
	const struct schema_row *row; /* NULL: the variable is unknown, its value is skipped */
	struct settings *settings;
	config_warn_fn *warn;
	void *warn_context;
	struct error *err;
	char word[CONFIG_LINE_MAX + 1]; /* the value being read, without its quotes */
	size_t word_len;
};

static __attribute__((format(printf, 3, 4))) int refuse(struct parser *p, unsigned line,
                                                        const char *format, ...)
{
	char text[ERROR_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (p->name_len > 0)
		return error_set(p->err, EINVAL, "%s:%u: %.*s: %s", p->settings->file, line,
		                 (int)p->name_len, p->name, text);
	return error_set(p->err, EINVAL, "%s:%u: %s", p->settings->file, line, text);
}

/* The character at p->at + ahead; NUL at the end, which a checked text does not hold itself. */
static char peek(const struct parser *p, size_t ahead)
{
	return ahead < (size_t)(p->end - p->at) ? p->at[ahead] : '\0';
}

static bool at_newline(const struct parser *p, size_t ahead)
{
	return peek(p, ahead) == '\n' || (peek(p, ahead) == '\r' && peek(p, ahead + 1) == '\n');
}

static bool at_line_end(const struct parser *p)
{
	return peek(p, 0) == '\0' || at_newline(p, 0);
}

static void skip_newline(struct parser *p)
{
	p->at += peek(p, 0) == '\r' ? 2 : 1;
	p->line++;
}

/* Blanks, and lines that are continued with a backslash. */
static void skip_blanks(struct parser *p)
{
	for (;;) {
		if (peek(p, 0) == ' ' || peek(p, 0) == '\t') {
			p->at++;
		} else if (peek(p, 0) == '\\' && at_newline(p, 1)) {
			p->at++;
			skip_newline(p);
		} else {
			return;
		}
	}
}

static void skip_comment(struct parser *p)
{
	while (!at_line_end(p))
		p->at++;
}

static int append(struct parser *p, char c)
{
	if (p->word_len == CONFIG_LINE_MAX)
		return refuse(p, p->line, "the value is longer than %d bytes", CONFIG_LINE_MAX);
	p->word[p->word_len++] = c;
	return 0;
}

static int refuse_shell(struct parser *p, char c)
{
	return refuse(p, p->line,
	              "\"%c\" would need a shell, and this file is not read by one: write out the "
	              "value itself",
	              c);
}

static int read_single_quoted(struct parser *p)
{
	for (p->at++; peek(p, 0) != '\''; p->at++) {
		if (at_line_end(p))
			return refuse(p, p->line, "the quote (') is not closed on this line");
		if (append(p, *p->at) < 0)
			return -p->err->code;
	}
	p->at++;
	return 0;
}

static int read_double_quoted(struct parser *p)
{
	for (p->at++; peek(p, 0) != '"'; p->at++) {
		if (at_line_end(p))
			return refuse(p, p->line, "the quote (\") is not closed on this line");
		if (*p->at == '$' || *p->at == '`')
			return refuse_shell(p, *p->at);
		if (*p->at == '\\' && peek(p, 1) != '\0' && strchr("\"\\$`", peek(p, 1)) != NULL)
			p->at++;
		if (append(p, *p->at) < 0)
			return -p->err->code;
	}
	p->at++;
	return 0;
}

static int read_escaped(struct parser *p)
{
	p->at++;
	if (peek(p, 0) == '\0')
		return refuse(p, p->line, "the file ends in a backslash");
	if (at_newline(p, 0)) {
		skip_newline(p);
		return 0;
	}
	return append(p, *p->at++);
}

/* One value, from p->at to the first blank, line end or (in an array) bracket outside quotes. */
static int read_word(struct parser *p, bool in_array)
{
	p->word_len = 0;
	while (!at_line_end(p)) {
		char c = *p->at;
		int ret;

		if (c == ' ' || c == '\t' || (in_array && c == ')'))
			break;
		if (c == '$' || c == '`')
			return refuse_shell(p, c);
		if (strchr(";&|<>()", c) != NULL)
			return refuse(p, p->line,
			              "\"%c\" outside quotes: put quotes around the value", c);
		if (c == '\'') {
			ret = read_single_quoted(p);
		} else if (c == '"') {
			ret = read_double_quoted(p);
		} else if (c == '\\') {
			ret = read_escaped(p);
		} else {
			ret = append(p, c);
			p->at++;
		}
		if (ret < 0)
			return ret;
	}
	return 0;
}

/* An empty value says nothing: the option keeps its default. */
static int store_word(struct parser *p, unsigned line)
{
	if (p->row == NULL || p->word_len == 0)
		return 0;
	return settings_add(p->settings, p->row, p->word, p->word_len, line, p->err);
}

static int read_array(struct parser *p)
{
	unsigned opened = p->line, values = 0;

	p->at++;
	for (;;) {
		unsigned line;

		skip_blanks(p);
		line = p->line;
		if (peek(p, 0) == '\0')
			return refuse(p, opened,
			              "the array that begins here is not closed: \")\" is missing");
		if (at_newline(p, 0)) {
			skip_newline(p);
		} else if (peek(p, 0) == '#') {
			skip_comment(p);
		} else if (peek(p, 0) == ')') {
			p->at++;
			break;
		} else {
			if (++values > CONFIG_VALUES_MAX)
				return refuse(p, line, "more than %d values", CONFIG_VALUES_MAX);
			if (read_word(p, true) < 0 || store_word(p, line) < 0)
				return -p->err->code;
		}
	}
	if (values > 0 && p->row != NULL && !schema_is_list(p->row))
		return refuse(p, opened, "takes one value, not an array: leave out the brackets");
	return 0;
}

static int read_name(struct parser *p)
{
	static const char name_characters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	                                      "_0123456789";
	const char *name = p->at;
	size_t len = 0;

	while (peek(p, len) != '\0' && strchr(name_characters, name[len]) != NULL)
		len++;
	if (len > 0 && (name[0] < '0' || name[0] > '9')) {
		if (peek(p, len) == '=') {
			p->name = name;
			p->name_len = len;
			p->at += len + 1;
			return 0;
		}
		if (peek(p, len) == '[' || (peek(p, len) == '+' && peek(p, len + 1) == '='))
			return refuse(p, p->line,
			              "%.*s is assigned in parts: write one array, VARIABLE=(value "
			              "value)",
			              (int)len, name);
	}
	return refuse(p, p->line,
	              "neither VARIABLE=value (without blanks around \"=\") nor a # comment; this "
	              "file is not read by a shell");
}

static void warn_unknown(struct parser *p, unsigned line)
{
	char text[ERROR_TEXT_MAX];

	snprintf(text, sizeof(text), "%s:%u: unknown variable %.*s: ignored", p->settings->file,
	         line, (int)p->name_len, p->name);
	p->warn(p->warn_context, text);
}

static int read_assignment(struct parser *p)
{
	unsigned line = p->line;
	int ret;

	if (read_name(p) < 0)
		return -p->err->code;
	p->row = schema_find_variable(p->name, p->name_len);
	if (p->row == NULL)
		warn_unknown(p, line);
	else
		settings_drop(p->settings, p->row);
	if (peek(p, 0) == '(') {
		ret = read_array(p);
	} else {
		ret = read_word(p, false);
		if (ret == 0)
			ret = store_word(p, line);
	}
	if (ret < 0)
		return ret;
	skip_blanks(p);
	if (peek(p, 0) == '#')
		skip_comment(p);
	if (!at_line_end(p))
		return refuse(
		        p, p->line,
		        "there is more behind the value: put quotes around a value with blanks, "
		        "and each assignment on a line of its own");
	p->name_len = 0;
	return 0;
}

/* What no text file holds ends the reading early, so that the parser need not think of it. */
static int check_text(struct parser *p)
{
	size_t len = 0;

	for (const char *c = p->at; c < p->end; c++) {
		bool carriage_return = *c == '\r' && c + 1 < p->end && c[1] == '\n';

		if (*c == '\n') {
			p->line++;
			len = 0;
			continue;
		}
		if (((unsigned char)*c < 0x20 && *c != '\t' && !carriage_return) || *c == 0x7f)
			return refuse(p, p->line,
			              "control character 0x%02x: this is not a text file",
			              (unsigned char)*c);
		if (++len > CONFIG_LINE_MAX)
			return refuse(p, p->line, "the line is longer than %d bytes",
			              CONFIG_LINE_MAX);
	}
	p->line = 1;
	return 0;
}

int file_parse(struct settings *settings, const char *text, size_t len, config_warn_fn *warn,
               void *context, struct error *err)
{
	struct parser p = {.at = text,
	                   .end = text + len,
	                   .line = 1,
	                   .settings = settings,
	                   .warn = warn,
	                   .warn_context = context,
	                   .err = err};

	if (len > CONFIG_FILE_MAX)
		return error_set(err, EINVAL, "%s: larger than %d bytes: not a configuration file",
		                 settings->file, CONFIG_FILE_MAX);
	if (check_text(&p) < 0)
		return -err->code;
	for (;;) {
		skip_blanks(&p);
		if (peek(&p, 0) == '#')
			skip_comment(&p);
		if (peek(&p, 0) == '\0')
			return 0;
		if (at_newline(&p, 0))
			skip_newline(&p);
		else if (read_assignment(&p) < 0)
			return -err->code;
	}
}

static int read_all(int fd, char *text, size_t size, size_t *len)
{
	*len = 0;
	while (*len < size) {
		ssize_t n = read(fd, text + *len, size - *len);

		if (n == 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
		*len += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

int file_read(struct settings *settings, config_warn_fn *warn, void *context, struct error *err)
{
	const size_t size = CONFIG_FILE_MAX + 1; /* one more, to notice a file that is larger */
	char *text = NULL;
	struct stat st;
	size_t len;
	int fd, ret;

	/* Non-blocking, because a pipe would hold up the start for ever. */
	fd = open(settings->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return error_set(err, errno, "configuration file %s: %s", settings->file,
		                 strerror(errno));
	if (fstat(fd, &st) < 0 || (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode))) {
		ret = error_set(err, EINVAL, "configuration file %s: not a regular file",
		                settings->file);
		goto out;
	}
	text = malloc(size);
	ret = text == NULL ? -ENOMEM : read_all(fd, text, size, &len);
	if (ret < 0) {
		error_set(err, -ret, "configuration file %s: %s", settings->file, strerror(-ret));
		goto out;
	}
	ret = file_parse(settings, text, len, warn, context, err);
out:
	free(text);
	close(fd);
	return ret;
}

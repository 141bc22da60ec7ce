import com.godaddy.asherah.appencryption.Session;
import com.godaddy.asherah.appencryption.SessionFactory;
import com.godaddy.asherah.appencryption.kms.AwsKeyManagementServiceImpl;
import com.godaddy.asherah.appencryption.kms.KeyManagementService;
import com.godaddy.asherah.appencryption.kms.StaticKeyManagementServiceImpl;
import com.godaddy.asherah.appencryption.persistence.DynamoDbMetastoreImpl;
import com.godaddy.asherah.appencryption.persistence.JdbcMetastoreImpl;
import com.godaddy.asherah.appencryption.persistence.Metastore;
import com.godaddy.asherah.crypto.CryptoPolicy;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.sql.SQLException;
import java.time.Instant;
import java.util.Base64;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.TimeZone;
import java.util.TreeMap;
import org.json.JSONArray;
import org.json.JSONObject;
import org.mariadb.jdbc.MariaDbDataSource;
import org.postgresql.ds.PGSimpleDataSource;

/**
 * The Java Asherah behind a pipe: one JSON request a line on standard input, one JSON answer a line on standard output.
 * `interop/README.md` lists the requests.
 */
public final class Peer {
  private final Rows rows = new Rows();
  private SessionFactory factory;

  public static void main(final String[] arguments) throws Exception {
    final PrintStream answers = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    // Whatever a library prints must not be taken for an answer.
    System.setOut(System.err);
    final Peer peer = new Peer();
    final BufferedReader requests = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = requests.readLine(); line != null; line = requests.readLine()) {
      final JSONObject request = new JSONObject(line);
      final JSONObject answer = new JSONObject().put("id", request.getInt("id"));
      try {
        answer.put("ok", true).put("result", peer.handle(request));
      } catch (final RuntimeException e) {
        e.printStackTrace();
        answer.put("ok", false).put("error", e.getClass().getSimpleName() + ": " + e.getMessage());
      }
      answers.println(answer);
    }
    peer.closeFactory();
  }

  private Object handle(final JSONObject request) {
    switch (request.getString("op")) {
      case "open":
        return open(request);
      case "encrypt":
        return encrypt(request.getString("partition"), Base64.getDecoder().decode(request.getString("plaintext")));
      case "decrypt":
        return decrypt(request.getString("partition"), request.getString("record"));
      case "encryptJson":
        return encryptJson(request.getString("partition"), request.getJSONObject("payload"));
      case "decryptJson":
        return decryptJson(request.getString("partition"), new JSONObject(request.getString("record")));
      case "load":
        rows.replaceWith(request.getJSONArray("rows"));
        return JSONObject.NULL;
      case "dump":
        return rows.dump();
      default:
        throw new IllegalArgumentException("unknown op " + request.getString("op"));
    }
  }

  private Object open(final JSONObject request) {
    closeFactory();
    rows.keySuffix = request.optString("regionSuffix", "");
    factory = SessionFactory.newBuilder(request.getString("product"), request.getString("service"))
        .withMetastore(metastore(request))
        .withCryptoPolicy(new Policy(request.optLong("expireAfterSeconds", 90L * 24 * 60 * 60)))
        .withKeyManagementService(kms(request))
        .build();
    return JSONObject.NULL;
  }

  private static KeyManagementService kms(final JSONObject request) {
    if (!request.has("awsKms")) {
      return new StaticKeyManagementServiceImpl(request.getString("masterKey"));
    }
    final JSONObject settings = request.getJSONObject("awsKms");
    final Map<String, String> arns = new HashMap<>();
    settings.getJSONObject("regionMap").toMap().forEach((region, arn) -> arns.put(region, arn.toString()));
    return AwsKeyManagementServiceImpl.newBuilder(arns, settings.getString("preferredRegion")).build();
  }

  private Metastore<JSONObject> metastore(final JSONObject request) {
    if (request.has("dynamoDb")) {
      return dynamoDb(request.getJSONObject("dynamoDb"));
    }
    return request.has("jdbcUrl") ? jdbc(request.getString("jdbcUrl")) : rows;
  }

  private static Metastore<JSONObject> jdbc(final String url) {
    // The library writes `created` in the zone of the JVM.
    TimeZone.setDefault(TimeZone.getTimeZone("UTC"));
    try {
      if (url.startsWith("jdbc:mariadb:")) {
        return JdbcMetastoreImpl.newBuilder(new MariaDbDataSource(url)).build();
      }
      final PGSimpleDataSource source = new PGSimpleDataSource();
      source.setURL(url);
      return JdbcMetastoreImpl.newBuilder(source).build();
    } catch (final SQLException e) {
      throw new IllegalStateException(e);
    }
  }

  private static Metastore<JSONObject> dynamoDb(final JSONObject settings) {
    final DynamoDbMetastoreImpl.BuildStep builder = DynamoDbMetastoreImpl.newBuilder(settings.getString("region"))
        .withEndPointConfiguration(settings.getString("endpoint"), settings.getString("region"))
        .withTableName(settings.getString("tableName"));
    return (settings.getBoolean("regionSuffix") ? builder.withKeySuffix() : builder).build();
  }

  private String encrypt(final String partition, final byte[] plaintext) {
    try (Session<byte[], byte[]> session = factory.getSessionBytes(partition)) {
      return new String(session.encrypt(plaintext), StandardCharsets.UTF_8);
    }
  }

  private String decrypt(final String partition, final String record) {
    try (Session<byte[], byte[]> session = factory.getSessionBytes(partition)) {
      return Base64.getEncoder().encodeToString(session.decrypt(record.getBytes(StandardCharsets.UTF_8)));
    }
  }

  private String encryptJson(final String partition, final JSONObject payload) {
    try (Session<JSONObject, JSONObject> session = factory.getSessionJsonAsJson(partition)) {
      return session.encrypt(payload).toString();
    }
  }

  private JSONObject decryptJson(final String partition, final JSONObject record) {
    try (Session<JSONObject, JSONObject> session = factory.getSessionJsonAsJson(partition)) {
      return session.decrypt(record);
    }
  }

  private void closeFactory() {
    if (factory != null) {
      factory.close();
      factory = null;
    }
  }

  /** Rows as an SQL table holds them: text, parsed on each read. */
  private static final class Rows implements Metastore<JSONObject> {
    private final Map<String, TreeMap<Instant, String>> byId = new HashMap<>();
    private String keySuffix = "";

    void replaceWith(final JSONArray rows) {
      byId.clear();
      for (int i = 0; i < rows.length(); i++) {
        final JSONObject row = rows.getJSONObject(i);
        byId.computeIfAbsent(row.getString("id"), id -> new TreeMap<>())
            .put(Instant.ofEpochSecond(row.getLong("created")), row.getString("keyRecord"));
      }
    }

    JSONArray dump() {
      final JSONArray rows = new JSONArray();
      byId.forEach((id, versions) -> versions.forEach((created, keyRecord) -> rows.put(new JSONObject()
          .put("id", id)
          .put("created", created.getEpochSecond())
          .put("keyRecord", keyRecord))));
      return rows;
    }

    @Override
    public Optional<JSONObject> load(final String keyId, final Instant created) {
      return Optional.ofNullable(byId.get(keyId)).map(versions -> versions.get(created)).map(JSONObject::new);
    }

    @Override
    public Optional<JSONObject> loadLatest(final String keyId) {
      return Optional.ofNullable(byId.get(keyId)).map(versions -> new JSONObject(versions.lastEntry().getValue()));
    }

    @Override
    public boolean store(final String keyId, final Instant created, final JSONObject value) {
      return byId.computeIfAbsent(keyId, id -> new TreeMap<>()).putIfAbsent(created, value.toString()) == null;
    }

    @Override
    public String getKeySuffix() {
      return keySuffix;
    }
  }

  /** The library's own policy counts in days and truncates to minutes; the rotation tests need seconds. */
  private static final class Policy implements CryptoPolicy {
    private final long expireAfterSeconds;

    Policy(final long expireAfterSeconds) {
      this.expireAfterSeconds = expireAfterSeconds;
    }

    @Override
    public boolean isKeyExpired(final Instant created) {
      return Instant.now().isAfter(created.plusSeconds(expireAfterSeconds));
    }

    @Override
    public Instant truncateToSystemKeyPrecision(final Instant created) {
      return truncate(created);
    }

    @Override
    public Instant truncateToIntermediateKeyPrecision(final Instant created) {
      return truncate(created);
    }

    private Instant truncate(final Instant created) {
      final long precision = Math.min(60, expireAfterSeconds);
      return Instant.ofEpochSecond(created.getEpochSecond() / precision * precision);
    }

    @Override
    public long getRevokeCheckPeriodMillis() {
      return 60L * 60 * 1000;
    }

    @Override
    public boolean canCacheSystemKeys() {
      return true;
    }

    @Override
    public boolean canCacheIntermediateKeys() {
      return true;
    }

    @Override
    public boolean canCacheSessions() {
      return false;
    }

    @Override
    public long getSessionCacheMaxSize() {
      return 1000;
    }

    @Override
    public long getSessionCacheExpireMillis() {
      return 2L * 60 * 60 * 1000;
    }

    @Override
    public boolean notifyExpiredIntermediateKeyOnRead() {
      return false;
    }

    @Override
    public boolean notifyExpiredSystemKeyOnRead() {
      return false;
    }

    @Override
    public KeyRotationStrategy keyRotationStrategy() {
      return KeyRotationStrategy.INLINE;
    }
  }
}

import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.interceptor.api.Hook;
import ca.uhn.fhir.interceptor.api.Interceptor;
import ca.uhn.fhir.interceptor.api.Pointcut;
import ca.uhn.fhir.rest.annotation.OptionalParam;
import ca.uhn.fhir.rest.annotation.Search;
import ca.uhn.fhir.rest.annotation.Sort;
import ca.uhn.fhir.rest.api.Constants;
import ca.uhn.fhir.rest.api.SortSpec;
import ca.uhn.fhir.rest.api.server.IBundleProvider;
import ca.uhn.fhir.rest.api.server.RequestDetails;
import ca.uhn.fhir.rest.param.DateRangeParam;
import ca.uhn.fhir.rest.server.FifoMemoryPagingProvider;
import ca.uhn.fhir.rest.server.RestfulServer;
import ca.uhn.fhir.rest.server.provider.HashMapResourceProvider;
import java.util.Comparator;
import java.util.Date;
import java.util.List;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.hl7.fhir.instance.model.api.IBaseResource;
import org.hl7.fhir.r4.model.Appointment;
import org.hl7.fhir.r4.model.Patient;
import org.hl7.fhir.r4.model.ServiceRequest;

/** A plain HAPI server on a free port of the loopback, with pages of three; it says where on its standard output. */
public final class Served {
  private static final int PAGE = 3;

  public static void main(String[] args) throws Exception {
    FhirContext context = FhirContext.forR4();
    RestfulServer fhir = new RestfulServer(context);
    fhir.setResourceProviders(
        List.of(
            new Patients(context), new Appointments(context), new ServiceRequests(context)));
    fhir.registerInterceptor(new Stamping());
    FifoMemoryPagingProvider pages = new FifoMemoryPagingProvider(100);
    pages.setDefaultPageSize(PAGE);
    pages.setMaximumPageSize(PAGE);
    fhir.setPagingProvider(pages);

    Server server = new Server();
    ServerConnector connector = new ServerConnector(server);
    connector.setHost("127.0.0.1");
    connector.setPort(0);
    server.addConnector(connector);
    ServletContextHandler handler = new ServletContextHandler();
    handler.addServlet(new ServletHolder(fhir), "/fhir/*");
    server.setHandler(handler);
    server.start();
    System.out.println("ready http://127.0.0.1:" + connector.getLocalPort() + "/fhir");
    System.out.flush();
    while (System.in.read() >= 0) {}  // who started it has gone when its input ends
    System.exit(0);
  }

  /** Gives what is written the moment at which it is: the provider in memory leaves that out. */
  @Interceptor
  public static final class Stamping {
    @Hook(Pointcut.SERVER_INCOMING_REQUEST_PRE_HANDLED)
    public void stamp(RequestDetails details) {
      if (details.getResource() != null) {
        details.getResource().getMeta().setLastUpdated(new Date());
      }
    }
  }

  /** What changed within a time, in the order asked for. */
  private static <T extends IBaseResource> List<T> changed(
      Class<T> type, IBundleProvider all, DateRangeParam range, SortSpec sort) {
    Comparator<T> order = Comparator.comparing(one -> one.getMeta().getLastUpdated());
    Date from = range == null ? null : range.getLowerBoundAsInstant();
    return all.getAllResources().stream()
        .map(type::cast)
        .filter(one -> from == null || !one.getMeta().getLastUpdated().before(from))
        .sorted(sort == null ? order.reversed() : order)
        .toList();
  }

  public static final class Patients extends HashMapResourceProvider<Patient> {
    Patients(FhirContext context) {
      super(context, Patient.class);
    }

    @Search
    public List<Patient> changes(
        @OptionalParam(name = Constants.PARAM_LASTUPDATED) DateRangeParam range,
        @Sort SortSpec sort,
        RequestDetails details) {
      return changed(Patient.class, searchAll(details), range, sort);
    }
  }

  public static final class Appointments extends HashMapResourceProvider<Appointment> {
    Appointments(FhirContext context) {
      super(context, Appointment.class);
    }

    @Search
    public List<Appointment> changes(
        @OptionalParam(name = Constants.PARAM_LASTUPDATED) DateRangeParam range,
        @Sort SortSpec sort,
        RequestDetails details) {
      return changed(Appointment.class, searchAll(details), range, sort);
    }
  }

  public static final class ServiceRequests extends HashMapResourceProvider<ServiceRequest> {
    ServiceRequests(FhirContext context) {
      super(context, ServiceRequest.class);
    }

    @Search
    public List<ServiceRequest> changes(
        @OptionalParam(name = Constants.PARAM_LASTUPDATED) DateRangeParam range,
        @Sort SortSpec sort,
        RequestDetails details) {
      return changed(ServiceRequest.class, searchAll(details), range, sort);
    }
  }
}
